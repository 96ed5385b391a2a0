// The worker process: reads its configuration, connects to Temporal, and works until it is asked to
// stop.
import { Runtime, type NativeConnection, type Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import { createHooks } from '../activities/hooks/run-hooks.js';
import { FollowedPorts } from '../control/followed-ports.js';
import type { Health } from '../contracts/health.js';
import { ProcessClock } from '../control/clock/process-clock.js';
import { readWorkerConfig, type WorkerConfig } from './config.js';
import { startHealthServer, type HealthServer } from './health-server.js';
import { createLog, runtimeOptions } from './logging.js';
import { openWorker } from './open-worker.js';
import { listenForStop, type StopRequest } from './stop-request.js';
import { temporalTrouble } from './temporal-connection.js';

/** The parts of a worker started so far. */
interface Parts {
  readonly startedAtMs: number;
  readonly clock: ProcessClock;
  readonly ports: FollowedPorts;
  connection?: NativeConnection;
  worker?: Worker;
}

async function main(): Promise<void> {
  const config = readWorkerConfig();
  log = createLog(config.id, config.logLevel);
  // This process handles signals itself, since it closes more than the worker.
  Runtime.install({ ...runtimeOptions(log, config.logLevel, config.metricsAddress), shutdownSignals: [] });
  const stop = listenForStop(config.exitWithParent);
  const { id, clockAgreesAfterMs: agreesAfterMs } = config;
  const clock = new ProcessClock({ process: `worker ${id}`, agreesAfterMs, log });
  const { hooks } = config;
  const ports = new FollowedPorts({
    path: config.estateFile,
    credentials: config.credentials,
    ...(hooks.length === 0 ? {} : { hooks: createHooks(hooks, (about, message) => log.warn(about, message)) }),
  });
  const parts: Parts = { startedAtMs: clock.wallMs, clock, ports };
  const server = await startHealthServer({
    ...config.estate.worker.health,
    health: async () => healthOf(config, parts),
  });
  try {
    await work(config, parts, server, stop, log);
  } catch (error) {
    // A stop while it waits for Temporal is no failure.
    if (!stop.signal.aborted || parts.connection !== undefined) throw error;
  } finally {
    await server.stop();
    await parts.connection
      ?.close()
      .catch((error: unknown) => log.warn({ err: error }, 'the connection was not closed'));
  }
  log.info('stopped');
}

async function work(
  config: WorkerConfig,
  parts: Parts,
  server: HealthServer,
  stop: StopRequest,
  log: Logger,
): Promise<void> {
  const { id, temporal, deployment } = config;
  const worker = await openWorker({
    temporal,
    log,
    signal: stop.signal,
    onConnected: (connection) => (parts.connection = connection),
    ports: parts.ports,
    identity: id,
    deployment,
  });
  parts.worker = worker;
  const running = worker.run();
  log.info({ url: server.url, temporal: temporal.connection.address, namespace: temporal.namespace }, 'ready');
  process.stdout.write(`${JSON.stringify({ ready: true, role: 'worker', id, url: server.url })}\n`);
  await Promise.race([running, stopWhenAsked(worker, stop, log)]);
  await running;
}

async function stopWhenAsked(worker: Worker, { asked }: StopRequest, log: Logger): Promise<void> {
  log.info({ because: await asked }, 'stopping');
  if (worker.getState() === 'RUNNING') worker.shutdown();
}

async function healthOf(
  { id, temporal, credentials }: WorkerConfig,
  { startedAtMs, clock, ports, connection, worker }: Parts,
): Promise<Health> {
  const trouble =
    connection === undefined
      ? `Temporal at ${temporal.connection.address} has not answered yet.`
      : await temporalTrouble(connection, temporal);
  const notes = [trouble, workerTrouble(worker), ports.fault, ...(credentials.faults ?? []), ...clock.notes].filter(
    (note) => note !== undefined,
  );
  const status = notes.length === 0 ? 'ok' : 'degraded';
  return { status, role: 'worker', id, startedAtMs, clock: clock.view, notes };
}

function workerTrouble(worker: Worker | undefined): string | undefined {
  const state = worker?.getState() ?? 'STARTING';
  return state === 'RUNNING' ? undefined : `The worker takes no work: it is ${state.toLowerCase()}.`;
}

let log = createLog('worker', 'info');
try {
  await main();
  process.exit(0);
} catch (error) {
  log.fatal({ err: error }, error instanceof Error ? error.message : 'failed');
  process.exit(1);
}
