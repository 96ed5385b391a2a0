// A Temporal worker for moves. Only here do workflows, activities and ports meet.
import {
  Worker,
  type ActivityInterceptorsFactory,
  type NativeConnection,
  type WorkerDeploymentOptions,
  type WorkerOptions,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import type { PayloadCodec } from '@temporalio/common';
import { fileURLToPath } from 'node:url';
import type { BatchSettings } from '../activities/batch/create-batch-activities.js';
import { createActivities } from '../activities/create-activities.js';
import type { Ports } from '../control/ports.js';
import { TASK_QUEUE } from '../contracts/move.js';
import type { WorkerSettings } from '../contracts/worker-settings.js';
import { readablePayloads } from './readable-payloads.js';
import { stepLog } from './step-log.js';

/**
 * Steps run at once. Each spends nearly all its time waiting. Further moves queue, those with a
 * fence first.
 */
const ACTIVITIES_MAX = 500;
/** Defaults of the SDK, which docs/operating.md names. */
const WORKFLOW_TASKS_MAX = 40;
const LOCAL_ACTIVITIES_MAX = 100;
const POLLERS = 10;
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

/** The SDK loads it by its path. */
const HIDDEN_FAILURES = fileURLToPath(new URL('./hidden-failures.js', import.meta.url));

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
  readonly workflowBundle: WorkflowBundleOption;
  readonly ports: Ports;
  /** The worker's name in histories. Default: process id and host. */
  readonly identity?: string;
  readonly deployment?: Deployment | undefined;
  /** Sees each run of an activity. */
  readonly interceptor?: ActivityInterceptorsFactory | undefined;
  /** Slots, pollers, rates and the task queue. Default: the product's own. */
  readonly settings?: WorkerSettings | undefined;
  /** Encrypts what Temporal keeps. Default: none. */
  readonly codec?: PayloadCodec | undefined;
  /** Whether failures of steps name nothing in clear. Default: no. */
  readonly hidesNames?: boolean | undefined;
  /** Default: the product's own. */
  readonly batches?: BatchSettings | undefined;
}

/** Makes a worker, ready to `run()`. It does not close the connection. */
export async function createWorker({
  connection,
  namespace,
  workflowBundle,
  ports,
  identity,
  deployment,
  interceptor,
  settings = {},
  codec,
  hidesNames = false,
  batches,
}: CreateWorkerOptions): Promise<Worker> {
  return Worker.create({
    ...WORKER_OPTIONS,
    ...optionsOf(settings),
    dataConverter: {
      // The last one decodes first: what is readable is judged once it is decrypted.
      payloadCodecs: [readablePayloads, ...(codec === undefined ? [] : [codec])],
      ...(hidesNames ? { failureConverterPath: HIDDEN_FAILURES } : {}),
    },
    connection,
    namespace,
    taskQueue: settings.taskQueue ?? TASK_QUEUE,
    workflowBundle,
    activities: createActivities(ports, batches),
    interceptors: { activity: interceptor === undefined ? [stepLog] : [stepLog, interceptor] },
    ...(identity === undefined ? {} : { identity }),
    ...(deployment === undefined ? {} : { workerDeploymentOptions: versioned(deployment) }),
  });
}

/** The settings as the SDK takes them. */
function optionsOf(settings: WorkerSettings): Partial<WorkerOptions> {
  const { cachedWorkflows, activitiesPerSecond, queueActivitiesPerSecond } = settings;
  const { activitySlots = ACTIVITIES_MAX, localActivitySlots = LOCAL_ACTIVITIES_MAX } = settings;
  const { workflowSlots = workflowSlotsFor(cachedWorkflows) } = settings;
  return {
    maxConcurrentWorkflowTaskExecutions: workflowSlots,
    maxConcurrentActivityTaskExecutions: activitySlots,
    maxConcurrentLocalActivityExecutions: localActivitySlots,
    workflowTaskPollerBehavior: pollers(settings.workflowPollers ?? Math.min(POLLERS, workflowSlots)),
    activityTaskPollerBehavior: pollers(settings.activityPollers ?? Math.min(POLLERS, activitySlots)),
    ...(cachedWorkflows === undefined ? {} : { maxCachedWorkflows: cachedWorkflows }),
    ...(activitiesPerSecond === undefined ? {} : { maxActivitiesPerSecond: activitiesPerSecond }),
    ...(queueActivitiesPerSecond === undefined ? {} : { maxTaskQueueActivitiesPerSecond: queueActivitiesPerSecond }),
  };
}

/** The SDK (1.24) ignores its options of pollers with a number alone. */
function pollers(maximum: number): NonNullable<WorkerOptions['workflowTaskPollerBehavior']> {
  return { type: 'simple-maximum', maximum };
}

/** The SDK takes no more slots than there are cached workflows, unless none is cached. */
function workflowSlotsFor(cachedWorkflows = 0): number {
  return cachedWorkflows === 0 ? WORKFLOW_TASKS_MAX : Math.min(WORKFLOW_TASKS_MAX, cachedWorkflows);
}

/** Pins a move to the code it started with: a move ends long before a version is retired. */
function versioned({ name, buildId }: Deployment): WorkerDeploymentOptions {
  return { useWorkerVersioning: true, version: { deploymentName: name, buildId }, defaultVersioningBehavior: 'PINNED' };
}
