// A Temporal worker for moves: the one place where workflows, activities and ports meet.
import {
  Worker,
  type NativeConnection,
  type WorkerDeploymentOptions,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import type { BatchSettings } from '../activities/batch/create-batch-activities.js';
import { createActivities } from '../activities/create-activities.js';
import type { Ports } from '../control/ports.js';
import { TASK_QUEUE } from '../contracts/move.js';
import { readablePayloads } from './readable-payloads.js';

/**
 * Steps at once: each waits for others nearly all of its time. More moves than this queue up, those
 * with a fence first.
 */
const ACTIVITIES_MAX = 500;
/**
 * How long steps may go on after the worker is told to stop, ms; then they are cancelled and go to
 * another worker.
 */
const GRACE_MS = 5_000;
/** After this the worker stops whatever still runs, ms: longer than a call's own time limit. */
const FORCE_MS = 20_000;
/**
 * Longest hold-back of a heartbeat, ms: below half the steps' heartbeat time-out, so that one late
 * beat isn't taken for a dead worker, and a cancellation arrives soon.
 */
const HEARTBEAT_THROTTLE_MS_MAX = 3_000;

/**
 * How every worker of the product runs, whatever its queue: a benchmark's peer must run no
 * otherwise.
 */
export const WORKER_OPTIONS = {
  dataConverter: { payloadCodecs: [readablePayloads] },
  maxConcurrentActivityTaskExecutions: ACTIVITIES_MAX,
  maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE_MS_MAX,
  shutdownGraceTime: GRACE_MS,
  shutdownForceTime: FORCE_MS,
};

/**
 * A worker's place among the versions of a deployment. Without it the worker takes any task of its
 * queue.
 */
export interface Deployment {
  readonly name: string;
  /** Of the code: work arrives once this version is made the current one. */
  readonly buildId: string;
}

export interface CreateWorkerOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  /** Default: the project's own. */
  readonly taskQueue?: string;
  readonly workflowBundle: WorkflowBundleOption;
  readonly ports: Ports;
  /** Names the worker in histories; default: process id and host. */
  readonly identity?: string;
  readonly deployment?: Deployment | undefined;
  /** Default: the product's own. */
  readonly batches?: BatchSettings | undefined;
}

/** Ready to `run()`; it does not close the connection. */
export async function createWorker({
  connection,
  namespace,
  taskQueue = TASK_QUEUE,
  workflowBundle,
  ports,
  identity,
  deployment,
  batches,
}: CreateWorkerOptions): Promise<Worker> {
  return Worker.create({
    ...WORKER_OPTIONS,
    connection,
    namespace,
    taskQueue,
    workflowBundle,
    activities: createActivities(ports, batches),
    ...(identity === undefined ? {} : { identity }),
    ...(deployment === undefined ? {} : { workerDeploymentOptions: versioned(deployment) }),
  });
}

/** A move keeps the code it was started with: it is over long before a version is retired. */
function versioned({ name, buildId }: Deployment): WorkerDeploymentOptions {
  return { useWorkerVersioning: true, version: { deploymentName: name, buildId }, defaultVersioningBehavior: 'PINNED' };
}
