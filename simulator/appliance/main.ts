// The entry point of a data protection appliance's process.
import { runProcess } from '../process/run-process.js';
import { startAppliance } from './appliance.js';

await runProcess('appliance', startAppliance);
