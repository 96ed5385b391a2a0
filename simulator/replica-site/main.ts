// The replica site's process.
import { runProcess } from '../process/run-process.js';
import { startReplicaSite } from './replica-site.js';

await runProcess('replica-site', startReplicaSite);
