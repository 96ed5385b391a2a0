// A Temporal worker for moves. Only here do workflows, activities and ports meet.
import {
  Worker,
  type ActivityInterceptorsFactory,
  type NativeConnection,
  type WorkerDeploymentOptions,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import type { BatchSettings } from '../activities/batch/create-batch-activities.js';
import { createActivities } from '../activities/create-activities.js';
import type { Ports } from '../control/ports.js';
import { TASK_QUEUE } from '../contracts/move.js';
import { readablePayloads } from './readable-payloads.js';
import { stepLog } from './step-log.js';

/**
 * Steps run at once. Each spends nearly all its time waiting. Further moves queue, those with a
 * fence first.
 */
const ACTIVITIES_MAX = 500;
/**
 * Time for running steps after the worker is told to stop, ms. Then they are cancelled and another
 * worker takes them.
 */
const GRACE_MS = 2_000;
/** Time after which the worker ends even though a step does not heed its cancellation, ms. */
const FORCE_MS = 15_000;
/**
 * Longest delay of a heartbeat, ms. It is below half the steps' heartbeat timeout, so that one late
 * heartbeat does not look like a dead worker, and a cancellation arrives soon.
 */
const HEARTBEAT_THROTTLE_MS_MAX = 3_000;

/**
 * Options of every worker of the product, whatever its queue. A benchmark's other worker must use
 * the same.
 */
export const WORKER_OPTIONS = {
  dataConverter: { payloadCodecs: [readablePayloads] },
  maxConcurrentActivityTaskExecutions: ACTIVITIES_MAX,
  maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE_MS_MAX,
  shutdownGraceTime: GRACE_MS,
  shutdownForceTime: FORCE_MS,
};

/** A worker's version in a deployment. Without one the worker takes any task of its queue. */
export interface Deployment {
  readonly name: string;
  /** The version of the code. Work arrives once it is made the current version. */
  readonly buildId: string;
}

export interface CreateWorkerOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  /** Default: the project's own. */
  readonly taskQueue?: string;
  readonly workflowBundle: WorkflowBundleOption;
  readonly ports: Ports;
  /** The worker's name in histories. Default: process id and host. */
  readonly identity?: string;
  readonly deployment?: Deployment | undefined;
  /** Default: the product's own. */
  readonly batches?: BatchSettings | undefined;
  /** Sees each run of an activity. */
  readonly interceptor?: ActivityInterceptorsFactory | undefined;
}

/** Makes a worker, ready to `run()`. It does not close the connection. */
export async function createWorker({
  connection,
  namespace,
  taskQueue = TASK_QUEUE,
  workflowBundle,
  ports,
  identity,
  deployment,
  batches,
  interceptor,
}: CreateWorkerOptions): Promise<Worker> {
  return Worker.create({
    ...WORKER_OPTIONS,
    connection,
    namespace,
    taskQueue,
    workflowBundle,
    activities: createActivities(ports, batches),
    interceptors: { activity: interceptor === undefined ? [stepLog] : [stepLog, interceptor] },
    ...(identity === undefined ? {} : { identity }),
    ...(deployment === undefined ? {} : { workerDeploymentOptions: versioned(deployment) }),
  });
}

/** Pins a move to the code it started with: a move ends long before a version is retired. */
function versioned({ name, buildId }: Deployment): WorkerDeploymentOptions {
  return { useWorkerVersioning: true, version: { deploymentName: name, buildId }, defaultVersioningBehavior: 'PINNED' };
}
