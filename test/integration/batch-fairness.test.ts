// Priority where it matters: an operator's move overtakes a batch that keeps every slot of the
// workers busy.
import { NativeConnection, Worker } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, inject, test } from 'vitest';
import { createActivities } from '../../activities/create-activities.js';
import { WORKER_OPTIONS } from '../../workers/create-worker.js';
import type { moveVolume } from '../../workflows/index.js';
import { ask, type BatchHandle, progressOf, startBatch, untilCounts } from './support/batches.js';
import { Moves } from './support/moves.js';

type Priority = NonNullable<Parameters<Moves['client']['workflow']['start']>[1]['priority']>;

/** Steps that run at once: scarce, so that those of a batch queue up. */
const SLOTS = 2;
/**
 * Moves of the batch under way at once: far more than have a slot, so that a step of the batch's
 * own rank waits for a whole turn of them.
 */
const AT_ONCE = 14;
/** More than the batch gets done while its rivals are measured. */
const BATCH_VOLUMES = 56;
/**
 * What a step takes besides its calls, ms: as in an estate whose answers come from far, and much
 * more than the machine's own unevenness.
 */
const STEP_MS = 200;
/** What the operator may wait longer than alone, in slots' time. */
const SLOTS_WAITED_MAX = 2;
/**
 * Moves of the operator: one to warm up, two alone, three beside the batch, one at the batch's own
 * rank.
 */
const OPERATOR_VOLUMES = 7;

let moves: Moves;
let stopWorker: () => Promise<void>;
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
    await delay(STEP_MS);
    return await near(...args);
  };
}

/** How long a move takes from its start to its end, ms. */
async function timed(volume: string | undefined, priority?: Priority): Promise<number> {
  if (volume === undefined) throw new Error('The operator has no volume left.');
  const startedAtMs = performance.now();
  await moves.client.workflow.execute<typeof moveVolume>('moveVolume', {
    taskQueue: moves.taskQueue,
    workflowId: `operator-${randomUUID()}`,
    args: [{ volume, to: 'g3' }],
    ...(priority === undefined ? {} : { priority }),
  });
  return performance.now() - startedAtMs;
}

async function movedBy(handle: BatchHandle): Promise<number> {
  return (await progressOf(handle)).counts.moved;
}

test('under a batch that keeps every slot busy an operator’s move takes at most two slots’ time longer than alone', async () => {
  moves = await Moves.start({ workers: 0, volumesPerSplitter: BATCH_VOLUMES + OPERATOR_VOLUMES });
  await startScarceWorker();
  const own = moves.live.world.volumes.slice(0, OPERATOR_VOLUMES);
  // What runs for the first time is slower.
  await timed(own[0]);
  const aloneMs = Math.min(await timed(own[1]), await timed(own[2]));

  const handle = await startBatch(moves, {
    moves: moves.live.world.volumes.slice(OPERATOR_VOLUMES).map((volume) => ({ volume, to: 'g2' })),
    options: { concurrency: { all: AT_ONCE } },
  });
  await untilCounts(handle, ({ moved }) => moved >= SLOTS);

  const beganMs = performance.now();
  const movedBefore = await movedBy(handle);
  const hurriedMs = [await timed(own[3]), await timed(own[4]), await timed(own[5])];
  // The batch's own rank, and its share.
  const queuedMs = await timed(own[6], { priorityKey: 5, fairnessKey: handle.firstExecutionRunId });
  const spanMs = performance.now() - beganMs;
  const { counts } = await progressOf(handle);
  const done = counts.moved - movedBefore + hurriedMs.length + 1;
  // How long one move keeps one slot, by what all slots got done meanwhile.
  const slotMs = (SLOTS * spanMs) / done;
  const slotsWaited = [...hurriedMs, queuedMs].map((ms) => (ms - aloneMs) / slotMs);
  const measured = JSON.stringify({ aloneMs, slotMs, slotsWaited, counts });
  await ask(handle, 'abort', { running: 'finish' });
  await handle.result();

  // All the time there was more to do than slots.
  expect(counts.running, measured).toBe(AT_ONCE);
  const queuedWaited = slotsWaited.pop() ?? 0;
  expect(Math.max(...slotsWaited), measured).toBeLessThanOrEqual(SLOTS_WAITED_MAX);
  // In the batch's own queue it waits for what is before it, or the limit above would say nothing.
  expect(queuedWaited, measured).toBeGreaterThan(1.5 * SLOTS_WAITED_MAX);
  await moves.live.checkPromises();
});
