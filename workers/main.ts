// The worker process: reads its configuration, connects to Temporal, works until it is asked to stop.
import { Runtime, type NativeConnection, type Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import { createHttpPorts } from '../activities/http-ports.js';
import { MoverError } from '../contracts/errors.js';
import type { Health } from '../contracts/health.js';
import { readWorkerConfig, type WorkerConfig } from './config.js';
import { createWorker } from './create-worker.js';
import { startHealthServer } from './health-server.js';
import { createLog, runtimeOptions, sdkLogger } from './logging.js';
import { listenForStop, type StopRequest } from './stop-request.js';
import { connectToTemporal, temporalTrouble } from './temporal-connection.js';
import { workflowBundle } from './workflow-bundle.js';

async function main(): Promise<void> {
  const config = readWorkerConfig();
  log = createLog(config.id, config.logLevel);
  Runtime.install({ ...runtimeOptions(log, config.logLevel, config.metricsAddress), shutdownSignals: [] });
  const stop = listenForStop(config.exitWithParent);
  let connection: NativeConnection | undefined;
  try {
    connection = await connectToTemporal(config.temporal, log, stop.signal);
    await work(config, connection, stop, log);
  } catch (error) {
    // A stop while Temporal is still being waited for is no failure.
    if (!stop.signal.aborted || connection !== undefined) throw error;
  } finally {
    await connection?.close();
  }
  log.info('stopped');
}

async function work(config: WorkerConfig, connection: NativeConnection, stop: StopRequest, log: Logger): Promise<void> {
  const { estate, id, token, temporal, deployment } = config;
  const worker = await createWorker({
    connection,
    namespace: temporal.namespace,
    workflowBundle: await workflowBundle(sdkLogger(log, 'warn')),
    ports: createHttpPorts(estate, { token }),
    identity: id,
    deployment,
  });
  const startedAtMs = Date.now();
  const health = async (): Promise<Health> => {
    const notes = [workerTrouble(worker), await temporalTrouble(connection, temporal)].filter(
      (note) => note !== undefined,
    );
    return { status: notes.length === 0 ? 'ok' : 'degraded', role: 'worker', id, startedAtMs, notes };
  };
  const server = await startHealthServer({ ...estate.worker.health, health });
  const running = worker.run();
  process.stdout.write(`${JSON.stringify({ ready: true, role: 'worker', id, url: server.url })}\n`);
  log.info({ url: server.url, temporal: temporal.connection.address, namespace: temporal.namespace }, 'ready');
  const stopped = stopWhenAsked(worker, stop, log);
  try {
    await Promise.race([running, stopped]);
    await running;
  } finally {
    await server.stop();
  }
}

async function stopWhenAsked(worker: Worker, { asked }: StopRequest, log: Logger): Promise<void> {
  log.info({ because: await asked }, 'stopping');
  if (worker.getState() === 'RUNNING') worker.shutdown();
}

function workerTrouble(worker: Worker): string | undefined {
  const state = worker.getState();
  return state === 'RUNNING' ? undefined : `The worker takes no new work: it is ${state.toLowerCase()}.`;
}

let log = createLog('worker', 'info');
try {
  await main();
  process.exit(0);
} catch (error) {
  log.fatal({ err: error }, error instanceof MoverError || error instanceof Error ? error.message : 'failed');
  process.exit(1);
}
