// Terminate and Reset are one click away in the UI: the estate heals by itself from the one, and
// the other repeats nothing.
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { randomUUID } from 'node:crypto';
import { COMMITTED_VOLUME, GOLD, type HeldMove, SILVER, Testbed, VOLUME_AT } from './testbed.js';

/** Lease of a move that is to be abandoned, ms: the estate waits so long before it heals. */
const SHORT_LEASE = { leaseMs: 3_000 };

let testbed: Testbed;
beforeAll(async () => {
  testbed = await Testbed.start(inject('temporalAddress'));
});
afterAll(async () => testbed.stop());

async function terminate({ workflowId, runId }: HeldMove): Promise<void> {
  await testbed.estate.temporal.workflow.getHandle(workflowId, runId).terminate('one click too many');
}

/** Back to the workflow's first task, as the UI's default does. @returns the new run's id */
async function reset({ workflowId, runId }: Pick<HeldMove, 'workflowId' | 'runId'>): Promise<string> {
  const { temporal } = testbed.estate;
  const { events } = await temporal.workflow.getHandle(workflowId, runId).fetchHistory();
  const first = events?.find((event) => event.workflowTaskCompletedEventAttributes);
  const { runId: newRunId } = await temporal.workflowService.resetWorkflowExecution({
    namespace: temporal.options.namespace,
    workflowExecution: { workflowId, runId },
    workflowTaskFinishEventId: first?.eventId ?? null,
    requestId: randomUUID(),
    reason: 'to see what happens',
  });
  return newRunId;
}

/** The one of the two groups that the volume is not in now. */
async function elsewhere(volume: HeldMove['volume']): Promise<HeldMove['to']> {
  return (await testbed.standing(volume)).group === GOLD ? SILVER : GOLD;
}

test('after Terminate at any step the fence is lifted without anyone, and the next move of the volume succeeds', async () => {
  const moves = await testbed.holdAtEachStep(SHORT_LEASE);
  const committed = await testbed.startHeld('/v1/attempts/learn', COMMITTED_VOLUME, SHORT_LEASE);
  await committed.hold.reached();
  for (const move of [...moves, committed]) await terminate(move);
  for (const { volume } of [...moves, committed]) await testbed.healed(volume);
  for (const move of moves) await testbed.expectAsBefore(move);
  expect(await testbed.standing(COMMITTED_VOLUME)).toEqual({ group: committed.to, epoch: committed.before.epoch + 1 });
  // What was on its way arrives at last.
  for (const { hold } of [...moves, committed]) hold.release();
  for (const { volume } of [...moves, committed]) {
    const next = await testbed.startFree(volume);
    await testbed.expectMoved(next, await testbed.estate.reportOf(next));
  }
  await testbed.expectNothingLost();
});

test('Reset at any step goes on with the same move and repeats nothing that was done', async () => {
  const moves = await testbed.holdAtEachStep();
  const committed = await testbed.startHeld('/v1/attempts/learn', COMMITTED_VOLUME);
  await committed.hold.reached();
  for (const move of [...moves, committed]) {
    const runId = await reset(move);
    move.hold.release();
    const report = await testbed.estate.reportOf({ ...move, runId });
    expect(report.attempt).toEqual({ move: move.moveId, n: 1 });
    await testbed.expectMoved(move, report);
  }
  await testbed.expectNothingLost();
});

test('Reset of a move that is done reports the same move again', async () => {
  const volume = VOLUME_AT.notify;
  const move = await testbed.startFree(volume);
  const report = await testbed.estate.reportOf(move);
  const again = await testbed.estate.reportOf({ ...move, runId: await reset(move) });
  expect(again).toMatchObject({
    move: report.move,
    attempt: report.attempt,
    bookmarks: report.bookmarks,
    committedAtMs: report.committedAtMs,
  });
  await testbed.expectMoved(move, again);
});

test('Reset of a move whose volume was moved on since reports the same move again, and changes nothing', async () => {
  const volume = VOLUME_AT.flush;
  const move = await testbed.startFree(volume);
  const report = await testbed.estate.reportOf(move);
  await testbed.estate.move({ volume, to: await elsewhere(volume) });
  const before = await testbed.standing(volume);
  const again = await testbed.estate.reportOf({ ...move, runId: await reset(move) });
  expect(again).toMatchObject({
    move: report.move,
    attempt: report.attempt,
    bookmarks: report.bookmarks,
    committedAtMs: report.committedAtMs,
  });
  expect(await testbed.standing(volume)).toEqual(before);
  expect((await testbed.bookmarksOf(move)).toSorted()).toEqual(['joined', 'left']);
  await testbed.expectNothingLost();
});

test('a workflow id that is used again on purpose is a new move, and never another one by mistake', async () => {
  const volume = VOLUME_AT.snapshot;
  const workflowId = `again-${randomUUID()}`;
  const before = await testbed.standing(volume);
  const there = await testbed.estate.move({ volume, to: await elsewhere(volume) }, { workflowId });
  const input = { volume, to: await elsewhere(volume) };
  await expect(testbed.estate.move(input, { workflowId })).rejects.toMatchObject({ code: 'ATTEMPT_MISMATCH' });
  const back = await testbed.estate.move(input, { workflowId, again: true });
  expect(back.move).not.toBe(there.move);
  expect(await testbed.standing(volume)).toEqual({ group: before.group, epoch: before.epoch + 2 });
  await testbed.expectNothingLost();
});
