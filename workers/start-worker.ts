// A worker inside another program. The product's own process (main.ts) adds configuration, health
// and signals.
import type { PayloadCodec } from '@temporalio/common';
import { type NativeConnection, Runtime, type Worker } from '@temporalio/worker';
import type { Credentials } from '../control/credentials.js';
import { readCodecSettings } from '../control/codec/read-codec.js';
import { createHttpPorts } from '../control/http-ports.js';
import type { Ports } from '../control/ports.js';
import type { Estate } from '../contracts/estate.js';
import type { WorkerSettings } from '../contracts/worker-settings.js';
import { readTemporalSettings } from '../control/temporal-settings.js';
import { readWorkerSettings } from '../control/worker-settings.js';
import type { LogLevel } from './config.js';
import type { Deployment } from './create-worker.js';
import { runtimeOptions, type WorkerLog } from './logging.js';
import { WorkerMetrics } from './metrics.js';
import { openWorker } from './open-worker.js';
import { TemporalView } from './temporal-view.js';

export interface StartWorkerOptions {
  /** Addresses of all processes; `readEstateFile` reads them from a file. */
  readonly estate: Estate;
  /** How the steps reach splitters and appliances. Default: HTTP, as the estate says. */
  readonly ports?: Ports | undefined;
  /** Bearer token of the control APIs, for the default ports. Short for `credentials`. */
  readonly token?: string | undefined;
  /** What the control APIs are shown by the default ports. */
  readonly credentials?: Credentials | undefined;
  /** Receives every line of the worker, the Temporal SDK and the workflows. */
  readonly log: WorkerLog;
  /** Lowest level of the SDK's and the workflows' lines. Default: info. */
  readonly logLevel?: LogLevel | undefined;
  /** The worker's name in histories. Default: process id and host. */
  readonly identity?: string | undefined;
  readonly deployment?: Deployment | undefined;
  /** Encrypts what Temporal keeps. Default: as `VOLUME_MOVER_CODEC` says. */
  readonly codec?: PayloadCodec | undefined;
  /** Slots, pollers, rates and the task queue, before those of environment and estate. */
  readonly settings?: WorkerSettings | undefined;
  /**
   * Environment with `TEMPORAL_*` variables and those of the settings. Default: this process's
   * environment.
   */
  readonly environment?: NodeJS.ProcessEnv | undefined;
  /** Ends the wait for Temporal, with its reason. A running worker is ended by `stop`. */
  readonly signal?: AbortSignal | undefined;
}

export interface RunningWorker {
  /** Resolves when the worker has ended and its connection is closed. Rejects when it failed. */
  readonly ended: Promise<void>;
  /** The worker's own metrics, as text for Prometheus, for a page of your program. */
  metrics(): Promise<string>;
  /** Takes no more work, gives running steps 2 s, and resolves with `ended`. Safe to call twice. */
  stop(): Promise<void>;
}

/**
 * Starts a worker for moves, batches and verifications; resolves when it takes work. It waits up to
 * 5 min for Temporal. The SDK has one runtime per process, which uses the first worker's log.
 * @throws Error naming what Temporal lacks or refuses; the signal's reason
 */
export async function startWorker(options: StartWorkerOptions): Promise<RunningWorker> {
  const { estate, token, credentials = { token }, log, logLevel = 'info', identity, deployment } = options;
  const { environment = process.env, ports = createHttpPorts(estate, { credentials }) } = options;
  const codecs = readCodecSettings(environment);
  installRuntime(log, logLevel);
  const temporal = readTemporalSettings(environment, estate);
  let connection: NativeConnection | undefined;
  const metrics = new WorkerMetrics(new TemporalView({ connection: () => connection, namespace: temporal.namespace }));
  try {
    const worker = await openWorker({
      temporal,
      log,
      signal: options.signal ?? new AbortController().signal,
      onConnected: (connected) => (connection = connected),
      ports,
      interceptor: metrics.interceptor,
      deployment,
      codec: options.codec ?? (await codecs.open()),
      hidesNames: codecs.hidesNames || options.codec !== undefined,
      settings: { ...readWorkerSettings(environment, estate), ...options.settings },
      ...(identity === undefined ? {} : { identity }),
    });
    return running(worker, connection, metrics);
  } catch (error) {
    await connection?.close().catch(() => undefined);
    throw error;
  }
}

let isInstalled = false;

/** The program handles signals itself, since it closes more than the worker. */
function installRuntime(log: WorkerLog, level: LogLevel): void {
  if (isInstalled) return;
  Runtime.install({ ...runtimeOptions(log, level), shutdownSignals: [] });
  isInstalled = true;
}

function running(worker: Worker, connection: NativeConnection | undefined, metrics: WorkerMetrics): RunningWorker {
  const ended = runToItsEnd(worker, connection);
  // A program that ignores `ended` learns of a failure from `stop`.
  ended.catch(() => undefined);
  return {
    ended,
    metrics: async () => metrics.text(),
    stop: async () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await ended;
    },
  };
}

async function runToItsEnd(worker: Worker, connection: NativeConnection | undefined): Promise<void> {
  try {
    await worker.run();
  } finally {
    await connection?.close();
  }
}
