// A batch outlives its own runs, its workers, its moves' ends of every kind, and ends when it is
// told to.
import { CancelledFailure } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { replayed, runsOf } from './support/batch-history.js';
import {
  failureOf,
  moveReportsOf,
  progressOf,
  startBatch,
  storedReportOf,
  untilBatch,
  untilCounts,
} from './support/batches.js';
import { Moves, type MovesOptions } from './support/moves.js';

let moves: Moves;
afterEach(async () => moves.stop());

const ALL = { from: 'g1' };
/** Events of one run in these tests: a few moves' worth. */
const RUN_EVENTS_MAX = 60;

async function start(options: MovesOptions = {}): Promise<void> {
  moves = await Moves.start({ volumesPerSplitter: 4, ...options });
}

test('a batch goes on in new runs of bounded length, and makes every move once', async () => {
  await start({ volumesPerSplitter: 12, runEventsMax: RUN_EVENTS_MAX });
  const handle = await startBatch(moves, { select: ALL, to: 'g2', options: { concurrency: { all: 3 } } });
  const report = await handle.result();
  expect(report).toMatchObject({ outcome: 'complete', counts: { planned: 12, moved: 12, waiting: 0 } });
  expect(report.runs).toBeGreaterThan(1);
  expect((await moves.client.workflow.getHandle(handle.workflowId).describe()).searchAttributes).toMatchObject({
    BatchId: [report.batch],
    Outcome: ['complete'],
  });
  const runs = await runsOf(moves, handle);
  expect(runs).toHaveLength(report.runs);
  for (const { events } of runs) expect(events?.length).toBeLessThan(2 * RUN_EVENTS_MAX);
  expect(await replayed(handle.workflowId, runs)).toEqual(runs.map(() => undefined));
  const reports = await moveReportsOf(moves, handle);
  expect(reports.map(({ seq, outcome }) => [seq, outcome])).toEqual(
    Array.from({ length: 12 }, (_, seq) => [seq, 'moved']),
  );
  expect(moves.live.world.volumes.map((volume) => moves.live.epochOf(volume))).toEqual(
    Array.from({ length: 12 }, () => 2),
  );
  await moves.live.checkPromises();
});

test('a move that lasts holds up none of the others, and is found by later runs', async () => {
  await start({ volumesPerSplitter: 9, runEventsMax: RUN_EVENTS_MAX });
  const hold = moves.live.faults.hold('open', 'before');
  const handle = await startBatch(moves, { select: ALL, to: 'g2', options: { concurrency: { all: 3 } } });
  await hold.reached;
  const { counts } = await untilCounts(handle, ({ moved }) => moved === 8);
  expect(counts.running).toBe(1);
  expect((await runsOf(moves, handle)).length).toBeGreaterThan(1);
  hold.release();
  expect((await handle.result()).counts).toMatchObject({ moved: 9 });
});

test('moves that are terminated, cancelled or fail are counted, and each has its report', async () => {
  await start();
  moves.live.faults.fail('seal', new MoverError('CORRUPT', 'A checksum is wrong.'), 1);
  // Nobody puts a terminated move back before its lease runs out.
  const move = { leaseMs: 2_000 };
  const handle = await startBatch(moves, { select: ALL, to: 'g2', options: { concurrency: { all: 1 }, move } });
  await untilCounts(handle, ({ failed }) => failed === 1);
  const second = moves.live.faults.hold('bookmark', 'before');
  await second.reached;
  await moves.client.workflow.getHandle(`${handle.workflowId}/1-s0v1`).terminate('a test');
  const third = moves.live.faults.hold('open', 'before');
  second.release();
  await third.reached;
  await moves.client.workflow.getHandle(`${handle.workflowId}/2-s0v2`).cancel();
  third.release();
  const report = await handle.result();
  expect(report).toMatchObject({ outcome: 'complete', counts: { moved: 1, failed: 2, cancelled: 1, waiting: 0 } });
  expect(report.failures).toMatchObject([
    { seq: 0, code: 'CORRUPT' },
    { seq: 1, message: 'The workflow of the move was terminated.' },
  ]);
  const reports = await moveReportsOf(moves, handle);
  expect(reports.map(({ seq, outcome }) => [seq, outcome])).toEqual([
    [0, 'failed'],
    [1, 'failed'],
    [2, 'cancelled'],
    [3, 'moved'],
  ]);
  await moves.live.checkPromises();
});

test('a move terminated after the run that began it has ended is counted too', async () => {
  await start({ volumesPerSplitter: 8, runEventsMax: RUN_EVENTS_MAX });
  const hold = moves.live.faults.hold('open', 'before');
  const handle = await startBatch(moves, { select: ALL, to: 'g2', options: { concurrency: { all: 2 } } });
  await hold.reached;
  // A new run of the batch knows the volumes of a move once it has read them.
  const { longest } = await untilBatch(
    handle,
    'seven moves',
    (progress) => progress.counts.moved === 7 && progress.longest.length === 1,
  );
  const volume = longest[0]?.volumes[0] ?? '';
  const seq = moves.live.world.volumes.findIndex((name) => name === volume);
  await moves.client.workflow.getHandle(`${handle.workflowId}/${seq}-${volume}`).terminate('a test');
  hold.release();
  expect(await handle.result()).toMatchObject({
    counts: { moved: 7, failed: 1 },
    failures: [{ seq, volumes: [volume] }],
  });
  const reports = await moveReportsOf(moves, handle);
  expect(reports.filter(({ outcome }) => outcome === 'failed')).toMatchObject([{ seq, volumes: [volume] }]);
});

test('workers may stop and start in the middle of it', async () => {
  await start({ workers: 0, volumesPerSplitter: 6 });
  const first = await moves.startWorker('first');
  const handle = await startBatch(moves, { select: ALL, to: 'g2', options: { concurrency: { all: 2 } } });
  await untilCounts(handle, ({ moved }) => moved >= 2);
  await first.stop();
  await moves.startWorker('second');
  expect((await handle.result()).counts).toMatchObject({ moved: 6, failed: 0 });
  await moves.live.checkPromises();
});

test('cancelled, it puts its running moves back and ends as cancelled, with its report', async () => {
  await start();
  const hold = moves.live.faults.hold('seal', 'before');
  const handle = await startBatch(moves, { select: ALL, to: 'g2', options: { concurrency: { all: 1 } } });
  await hold.reached;
  await handle.cancel();
  expect(await failureOf(handle)).toBeInstanceOf(CancelledFailure);
  hold.release();
  expect(await storedReportOf(moves, handle)).toMatchObject({
    outcome: 'incomplete',
    counts: { moved: 0, cancelled: 1, waiting: 3 },
  });
  expect(new Set(moves.live.world.volumes.map((volume) => moves.live.groupOf(volume)))).toEqual(new Set(['g1']));
  await moves.live.checkPromises();
});

test('cancelled while it is planned, it ends as cancelled', async () => {
  await start();
  const hold = moves.live.faults.hold('siteGroups', 'before');
  const handle = await startBatch(moves, { select: ALL, to: 'g2' });
  await hold.reached;
  await handle.cancel();
  expect(await failureOf(handle)).toBeInstanceOf(CancelledFailure);
  hold.release();
  expect(await storedReportOf(moves, handle)).toMatchObject({ outcome: 'incomplete', counts: { planned: 0 } });
});

test('cancelled in a run that then goes on in a new one, it ends as cancelled all the same', async () => {
  await start({ volumesPerSplitter: 6, runEventsMax: 30 });
  const hold = moves.live.faults.hold('seal', 'before');
  const handle = await startBatch(moves, { select: ALL, to: 'g2', options: { concurrency: { all: 2 } } });
  await hold.reached;
  await untilCounts(handle, ({ moved }) => moved >= 2);
  await moves.client.workflow.getHandle(handle.workflowId).cancel();
  expect(await failureOf(handle)).toBeInstanceOf(CancelledFailure);
  hold.release();
  const { counts } = await storedReportOf(moves, handle);
  expect(counts.moved + counts.cancelled + counts.waiting).toBe(6);
  expect(counts.running).toBe(0);
});

test('moves outlive a batch that is terminated', async () => {
  await start();
  const hold = moves.live.faults.hold('seal', 'before');
  const handle = await startBatch(moves, { select: ALL, to: 'g2', options: { concurrency: { all: 1 } } });
  await hold.reached;
  await handle.terminate('a test');
  hold.release();
  expect(await moves.client.workflow.getHandle(`${handle.workflowId}/0-s0v0`).result()).toMatchObject({
    outcome: 'moved',
  });
});

test('a workflow that is there already under the id of one of its moves is waited for, not failed', async () => {
  await start();
  const hold = moves.live.faults.hold('open', 'before');
  const workflowId = `batch-${randomUUID()}`;
  const early = await moves.move({ volume: 's0v0', to: 'g2' }, `${workflowId}/0-s0v0`);
  await hold.reached;
  const handle = await startBatch(moves, { select: ALL, to: 'g2' }, workflowId);
  await untilCounts(handle, ({ moved }) => moved === 3);
  expect((await progressOf(handle)).counts).toMatchObject({ running: 1, failed: 0 });
  hold.release();
  await early.result();
  expect((await handle.result()).counts).toMatchObject({ moved: 3, alreadyThere: 1, failed: 0 });
});

test('an estate that can not be reached for a while is waited for', async () => {
  await start();
  moves.live.faults.fail('siteGroups', new MoverError('UNREACHABLE', 'The line is dead.'), 2);
  moves.live.faults.fail('storeBatchPlan', new MoverError('UNREACHABLE', 'The line is dead.'), 2);
  moves.live.faults.fail('storeBatchReport', new MoverError('UNREACHABLE', 'The line is dead.'), 2);
  const handle = await startBatch(moves, { select: ALL, to: 'g2' });
  const report = await handle.result();
  expect(report.counts).toMatchObject({ moved: 4 });
  expect(await storedReportOf(moves, handle)).toEqual(report);
});
