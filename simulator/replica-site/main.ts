// The replica site's process.
import { runProcess } from '../process/run-process.js';
import { readReplicaSiteLimits } from './limits.js';
import { startReplicaSite } from './replica-site.js';

await runProcess('replica-site', async (config, log) => startReplicaSite(config, log, readReplicaSiteLimits()));
