// Connects to Temporal and makes a worker ready to run, in the order that every worker's start
// needs.
import type { NativeConnection, Worker } from '@temporalio/worker';
import { createWorker, type CreateWorkerOptions } from './create-worker.js';
import { sdkLogger, type WorkerLog } from './logging.js';
import { ensureSearchAttributes } from './search-attributes.js';
import { connectToTemporal } from './temporal-connection.js';
import type { TemporalSettings } from '../control/temporal-settings.js';
import { workflowBundle } from './workflow-bundle.js';

export interface OpenWorkerOptions extends Omit<CreateWorkerOptions, 'connection' | 'namespace' | 'workflowBundle'> {
  readonly temporal: TemporalSettings;
  readonly log: WorkerLog;
  /** Ends the wait for Temporal, with its reason. */
  readonly signal: AbortSignal;
  /** Called once Temporal answers. The caller then owns the connection and closes it. */
  readonly onConnected: (connection: NativeConnection) => void;
}

/**
 * Waits for Temporal, registers missing search attributes, and makes the worker.
 * @throws Error naming what Temporal lacks or refuses; the signal's reason
 */
export async function openWorker({ temporal, log, signal, onConnected, ...rest }: OpenWorkerOptions): Promise<Worker> {
  const bundle = await workflowBundle(sdkLogger(log, 'warn'));
  const connection = await connectToTemporal(temporal, log, signal);
  onConnected(connection);
  await ensureSearchAttributes({ connection, target: temporal, log, signal });
  return await createWorker({
    ...rest,
    connection,
    namespace: temporal.namespace,
    workflowBundle: bundle,
  });
}
