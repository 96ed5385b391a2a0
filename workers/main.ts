// The worker process (`volume-mover worker`): reads its configuration, connects to Temporal, and
// works until it is asked to stop.
import { Runtime, type Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import { createHooks } from '../activities/hooks/run-hooks.js';
import { FollowedPorts } from '../control/followed-ports.js';
import { MoverError } from '../contracts/errors.js';
import { ProcessClock } from '../control/clock/process-clock.js';
import { processMetrics } from '../control/metrics/process-metrics.js';
import { readWorkerConfig, type WorkerConfig } from './config.js';
import { startHealthServer, type HealthServer } from './health-server.js';
import { createLog, runtimeOptions } from './logging.js';
import { WorkerMetrics } from './metrics.js';
import { openWorker } from './open-worker.js';
import { installWith, sdkMetrics } from './sdk-metrics.js';
import { listenForStop, type StopRequest } from './stop-request.js';
import { metricsRoute, probesOf } from './probes.js';
import { TemporalView } from './temporal-view.js';
import { type StartedParts, WorkerHealth } from './worker-health.js';

async function main(): Promise<void> {
  const config = readWorkerConfig();
  log = createLog(config.id, config.logLevel);
  const sdkAddress = await installWith(config.metricsAddress, (address) => {
    // This process handles signals itself, since it closes more than the worker.
    Runtime.install({ ...runtimeOptions(log, config.logLevel, address), shutdownSignals: [] });
  });
  const stop = listenForStop(config.exitWithParent);
  const { id, clockAgreesAfterMs: agreesAfterMs } = config;
  const clock = new ProcessClock({ process: `worker ${id}`, agreesAfterMs, log });
  const { hooks } = config;
  const ports = new FollowedPorts({
    path: config.estateFile,
    credentials: config.credentials,
    ...(hooks.length === 0 ? {} : { hooks: createHooks(hooks, (about, message) => log.warn(about, message)) }),
  });
  const view = new TemporalView({ connection: () => parts.connection, namespace: config.temporal.namespace });
  const metrics = new WorkerMetrics(view);
  const parts: StartedParts = { startedAtMs: clock.wallMs, clock, ports };
  const probed = new WorkerHealth(config, parts);
  const sources = [processMetrics(probed), metrics, sdkMetrics(sdkAddress)];
  const routes = [...probesOf(probed), metricsRoute(sources)];
  const server = await startHealthServer({ ...config.health, routes });
  try {
    await work({ config, parts, metrics, server, stop, log });
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

interface Work {
  readonly config: WorkerConfig;
  readonly parts: StartedParts;
  readonly metrics: WorkerMetrics;
  readonly server: HealthServer;
  readonly stop: StopRequest;
  readonly log: Logger;
}

async function work({ config, parts, metrics, server, stop, log }: Work): Promise<void> {
  const { id, temporal, deployment, settings, codec } = config;
  const worker = await openWorker({
    temporal,
    log,
    signal: stop.signal,
    onConnected: (connection) => (parts.connection = connection),
    ports: parts.ports,
    identity: id,
    deployment,
    interceptor: metrics.interceptor,
    settings,
    codec: await codec.open(),
    hidesNames: codec.hidesNames,
  });
  parts.worker = worker;
  const running = worker.run();
  log.info(
    {
      url: server.url,
      temporal: temporal.connection.address,
      namespace: temporal.namespace,
      taskQueue: worker.options.taskQueue,
    },
    'ready',
  );
  process.stdout.write(`${JSON.stringify({ ready: true, role: 'worker', id, url: server.url })}\n`);
  await Promise.race([running, stopWhenAsked(worker, stop, log)]);
  await running;
}

async function stopWhenAsked(worker: Worker, { asked }: StopRequest, log: Logger): Promise<void> {
  log.info({ because: await asked }, 'stopping');
  if (worker.getState() === 'RUNNING') worker.shutdown();
}

/** No restart helps until somebody changes a setting. The command line has the same codes. */
const EXIT_MISCONFIGURED = 2;
const EXIT_FAILED = 1;

let log = createLog('worker', 'info');
try {
  await main();
  process.exit(0);
} catch (error) {
  log.fatal({ err: error }, error instanceof Error ? error.message : 'failed');
  process.exit(error instanceof MoverError && error.code === 'INVALID_REQUEST' ? EXIT_MISCONFIGURED : EXIT_FAILED);
}
