// Priority where it matters: an operator's move overtakes a batch that keeps every slot of the
// workers busy.
import { activityInfo } from '@temporalio/activity';
import { NativeConnection, Worker } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, inject, test } from 'vitest';
import { createActivities } from '../../activities/create-activities.js';
import { WORKER_OPTIONS } from '../../workers/create-worker.js';
import type { moveVolume } from '../../workflows/index.js';
import { ask, progressOf, startBatch, untilCounts } from './support/batches.js';
import { Moves } from './support/moves.js';

type Priority = NonNullable<Parameters<Moves['client']['workflow']['start']>[1]['priority']>;

/** Steps that run at once: scarce, so that those of a batch queue up. */
const SLOTS = 2;
/** Moves of the batch under way at once: far more than have a slot. */
const AT_ONCE = 14;
/** The batch: as many as a group takes, and more than the batch gets done while its rivals move. */
const BATCH_VOLUMES = 64;
/** What a step takes besides its calls, ms: as in an estate whose answers come from far. */
const STEP_MS = 200;
/** Moves of the operator: three that hurry, one at the batch's own rank. */
const OPERATOR_VOLUMES = 4;

/** A step that a slot has taken. */
interface Taken {
  readonly workflowId: string;
  readonly scheduledAtMs: number;
  readonly takenAtMs: number;
}

let moves: Moves;
let stopWorker: () => Promise<void>;
const taken: Taken[] = [];
afterEach(async () => {
  await stopWorker();
  await moves.stop();
});

/** Starts a worker like the product's, but with few slots and a distant estate. */
async function startScarceWorker(): Promise<void> {
  const connection = await NativeConnection.connect({ address: inject('temporalAddress') });
  const near = Object.entries(createActivities(moves.live.world.ports()));
  const worker = await Worker.create({
    ...WORKER_OPTIONS,
    maxConcurrentActivityTaskExecutions: SLOTS,
    connection,
    namespace: inject('temporalNamespace'),
    taskQueue: moves.taskQueue,
    workflowBundle: { codePath: inject('workflowBundlePath') },
    activities: Object.fromEntries(near.map(([name, activity]) => [name, fromFar(activity)])),
  });
  const running = worker.run();
  stopWorker = async () => {
    worker.shutdown();
    await running;
    await connection.close();
  };
}

function fromFar(activity: unknown): (...args: readonly unknown[]) => Promise<unknown> {
  const near = activity as (...args: readonly unknown[]) => Promise<unknown>;
  return async (...args) => {
    const { workflowExecution, currentAttemptScheduledTimestampMs: scheduledAtMs } = activityInfo();
    const workflowId = workflowExecution?.workflowId ?? '';
    taken.push({ workflowId, scheduledAtMs, takenAtMs: Date.now() });
    await delay(STEP_MS);
    return await near(...args);
  };
}

/**
 * Moves a volume.
 * @returns of each step of the move, how many of the batch's were taken while it waited for a slot
 */
async function overtakenBy(volume: string | undefined, priority?: Priority): Promise<number[]> {
  if (volume === undefined) throw new Error('The operator has no volume left.');
  const workflowId = `operator-${randomUUID()}`;
  await moves.client.workflow.execute<typeof moveVolume>('moveVolume', {
    taskQueue: moves.taskQueue,
    workflowId,
    args: [{ volume, to: 'g3' }],
    ...(priority === undefined ? {} : { priority }),
  });
  const batch = taken.filter((step) => !step.workflowId.startsWith('operator-'));
  return taken
    .filter((step) => step.workflowId === workflowId)
    .map(({ scheduledAtMs, takenAtMs }) => {
      const meanwhile = batch.filter((step) => step.takenAtMs > scheduledAtMs && step.takenAtMs <= takenAtMs);
      return meanwhile.length;
    });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >>> 1] ?? 0;
}

test('under a batch that keeps every slot busy the steps of an operator’s move are the next to get a slot', async () => {
  moves = await Moves.start({ workers: 0, volumesPerSplitter: BATCH_VOLUMES + OPERATOR_VOLUMES });
  await startScarceWorker();
  const own = moves.live.world.volumes.slice(0, OPERATOR_VOLUMES);
  const handle = await startBatch(moves, {
    moves: moves.live.world.volumes.slice(OPERATOR_VOLUMES).map((volume) => ({ volume, to: 'g2' })),
    options: { concurrency: { all: AT_ONCE } },
  });
  await untilCounts(handle, ({ moved }) => moved >= SLOTS);

  const hurried = [...(await overtakenBy(own[0])), ...(await overtakenBy(own[1])), ...(await overtakenBy(own[2]))];
  // The batch's own rank, and its share.
  const queued = await overtakenBy(own[3], { priorityKey: 5, fairnessKey: handle.firstExecutionRunId });
  const { counts } = await progressOf(handle);
  const measured = JSON.stringify({ hurried, queued, counts });
  await ask(handle, 'abort', { running: 'finish' });
  await handle.result();

  // All the time there was more to do than slots.
  expect(counts.running, measured).toBe(AT_ONCE);
  // The server may have given each slot its next step already.
  expect(median(hurried), measured).toBeLessThanOrEqual(SLOTS);
  // In the batch's own queue a step waits for those before it: without that the limit above would
  // say nothing.
  expect(Math.max(...queued), measured).toBeGreaterThan(2 * SLOTS);
  await moves.live.checkPromises();
});
