// The peer's worker process: the product's worker options with another workflow.
import { bundleWorkflowCode, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { WORKER_OPTIONS } from '../../workers/create-worker.js';
import { createLog, runtimeOptions, sdkLogger } from '../../workers/logging.js';
import { listenForStop } from '../../workers/stop-request.js';
import { noopActivities } from './noop-activities.js';
import { NOOP_QUEUE } from './noop-names.js';

const LOG_LEVEL = 'warn';
const id = process.env['VOLUME_MOVER_ID'] ?? 'peer-worker';
const address = process.env['TEMPORAL_ADDRESS'];
if (address === undefined) throw new Error('TEMPORAL_ADDRESS must be set.');

const log = createLog(id, LOG_LEVEL);
Runtime.install({ ...runtimeOptions(log, LOG_LEVEL, undefined), shutdownSignals: [] });
const stop = listenForStop(true);
const workflowsPath = fileURLToPath(new URL('./noop-workflow.js', import.meta.url));
const connection = await NativeConnection.connect({ address });
const worker = await Worker.create({
  ...WORKER_OPTIONS,
  connection,
  taskQueue: NOOP_QUEUE,
  identity: id,
  workflowBundle: await bundleWorkflowCode({ workflowsPath, logger: sdkLogger(log, LOG_LEVEL) }),
  activities: noopActivities,
});
const running = worker.run();
process.stdout.write(`${JSON.stringify({ ready: true, role: 'worker', id, url: `http://${address}` })}\n`);
await stop.asked;
worker.shutdown();
await running;
await connection.close();
process.exit(0);
