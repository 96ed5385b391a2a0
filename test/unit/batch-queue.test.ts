// Whose turn it is in a batch, at what rate, and what a try's workflow is called.
import { describe, expect, test } from 'vitest';
import { BATCH_LOOK_AHEAD_MAX, BATCH_RETRIES_WAITING_MAX, type BatchTicket } from '../../contracts/batch-run.js';
import { childIdOf } from '../../workflows/batch/core/child-id.js';
import { Pace } from '../../workflows/batch/core/pace.js';
import { Queue, type Turn, type Verdict } from '../../workflows/batch/core/queue.js';
import { SeqSet } from '../../workflows/batch/core/seq-set.js';
import { StartRate } from '../../workflows/batch/core/start-rate.js';
import { itemOf } from '../support/batch-state.js';

const RETRIES = { max: 3, backoffMs: 1_000 };
const LAST = { message: 'no' };
const PLANNED = 1_000;
const ticket = (seq: number, more: Partial<BatchTicket> = {}): BatchTicket => ({
  seq,
  round: 0,
  starts: 0,
  failures: 0,
  ...more,
});

function queueFrom(cursor: number, known: number, passed: readonly number[] = []): Queue {
  const queue = new Queue(RETRIES, {
    cursor,
    round: 0,
    again: [],
    passed: passed.map((seq) => ticket(seq)),
    retries: [],
  });
  for (let seq = 0; seq < known; seq += 1) queue.provide(itemOf(seq));
  return queue;
}

function take(queue: Queue, judge: (seq: number) => Verdict = () => 'start', nowMs = 0): Turn {
  return queue.take({ nowMs, startable: PLANNED, judge: ({ seq }) => judge(seq) });
}

describe('the next turn', () => {
  test('is that of a due retry, then of one passed over, then of the plan', () => {
    const queue = queueFrom(3, 5, [1]);
    queue.queueRetry(ticket(0, { starts: 1, failures: 1 }), LAST, undefined, 0);
    expect(take(queue, undefined, 1_000)).toEqual({
      kind: 'start',
      ticket: ticket(0, { starts: 1, failures: 1 }),
      item: itemOf(0),
    });
    expect(take(queue)).toEqual({ kind: 'start', ticket: ticket(1), item: itemOf(1) });
    expect(take(queue)).toEqual({ kind: 'start', ticket: ticket(3), item: itemOf(3) });
    expect([0, 1, 2, 3, 4].map((seq) => queue.has(seq))).toEqual([false, false, false, false, true]);
  });

  test('is not yet that of a retry before its time', () => {
    const queue = queueFrom(3, 5);
    queue.queueRetry(ticket(0, { starts: 1, failures: 1 }), LAST, itemOf(0), 0);
    expect(take(queue, undefined, 999)).toMatchObject({ kind: 'start', ticket: { seq: 3 } });
    expect([queue.has(0), queue.nextDueAtMs(999), queue.nextDueAtMs(1_000)]).toEqual([true, 1_000, Infinity]);
    expect(queue.isDone(0)).toBe(false);
  });

  test('passes over what a limit holds back, and comes back to it first', () => {
    const queue = queueFrom(0, 3);
    expect(take(queue, (seq) => (seq === 1 ? 'start' : 'pass'))).toMatchObject({ ticket: { seq: 1 } });
    expect(queue.carried()).toMatchObject({ cursor: 2, passed: [ticket(0)] });
    expect(take(queue)).toMatchObject({ ticket: { seq: 0 } });
    expect(take(queue, () => 'skip')).toEqual({ kind: 'skip' });
    expect([queue.carried().cursor, queue.has(2)]).toEqual([3, false]);
  });

  test('asks for the items that it needs: first those that were passed over, then a page of the plan', () => {
    const queue = queueFrom(5, 0, [2, 3]);
    expect(take(queue)).toEqual({ kind: 'read', seqs: [2, 3] });
    queue.provide(itemOf(2));
    expect(take(queue)).toEqual({ kind: 'read', seqs: [3] });
    queue.provide(itemOf(3));
    expect(take(queue, () => 'pass')).toEqual({ kind: 'read', seqs: Array.from({ length: 200 }, (_, i) => 5 + i) });
  });

  test("is nobody's after 400 were passed over, or while 500 retries wait", () => {
    const ahead = queueFrom(0, BATCH_LOOK_AHEAD_MAX + 1);
    expect(take(ahead, () => 'pass')).toEqual({ kind: 'none' });
    expect(ahead.carried()).toMatchObject({ cursor: BATCH_LOOK_AHEAD_MAX });
    expect(ahead.carried().passed).toHaveLength(BATCH_LOOK_AHEAD_MAX);

    const held = queueFrom(BATCH_RETRIES_WAITING_MAX, PLANNED);
    for (let seq = 0; seq < BATCH_RETRIES_WAITING_MAX; seq += 1) {
      expect(held.isHeldBack(0)).toBe(false);
      held.queueRetry(ticket(seq, { failures: 1 }), LAST, undefined, 0);
    }
    expect([held.isHeldBack(0), held.isHeldBack(1_000)]).toEqual([true, false]);
    expect(take(held)).toEqual({ kind: 'none' });
    expect(take(held, undefined, 1_000)).toMatchObject({ ticket: { seq: 0 } });
  });

  test('is in the next round for a failed move that gets another turn', () => {
    const queue = queueFrom(PLANNED, 0);
    expect(queue.isDone(PLANNED)).toBe(true);
    const failed = new SeqSet();
    failed.add(7);
    queue.beginRound(failed);
    expect([queue.isDone(PLANNED), queue.has(7)]).toEqual([false, true]);
    queue.provide(itemOf(7));
    expect(take(queue)).toMatchObject({ ticket: ticket(7, { round: 1 }) });
    expect(queue.isDone(PLANNED)).toBe(true);
  });

  test('comes again for a move that never ran, and for the last time for those whose retries are taken', () => {
    const queue = queueFrom(PLANNED, 0);
    queue.requeue(ticket(4, { starts: 1 }), itemOf(4));
    expect([queue.isDone(PLANNED), queue.has(4)]).toEqual([false, true]);
    expect(take(queue)).toMatchObject({ ticket: ticket(4, { starts: 1 }) });
    queue.queueRetry(ticket(5, { failures: 1 }), LAST, itemOf(5), 0);
    queue.queueRetry(ticket(6, { failures: 1 }), LAST, undefined, 0);
    expect(queue.queueRetry(ticket(8, { failures: 4 }), LAST, itemOf(8), 0)).toBe(false);
    expect(queue.unread).toEqual([6]);
    expect(queue.takeRetries()).toEqual([
      { ticket: ticket(5, { failures: 1 }), last: LAST, item: itemOf(5) },
      { ticket: ticket(6, { failures: 1 }), last: LAST, item: undefined },
    ]);
    expect([queue.isDone(PLANNED), queue.has(5), queue.has(8)]).toEqual([true, false, false]);
  });
});

test.each([
  { round: 0, starts: 1, id: 'weekend/17-vm-4-disk-0' },
  { round: 0, starts: 2, id: 'weekend/17-vm-4-disk-0-try-2' },
  { round: 1, starts: 1, id: 'weekend/17-vm-4-disk-0-again-1' },
  { round: 2, starts: 3, id: 'weekend/17-vm-4-disk-0-again-2-try-3' },
])('try $starts of round $round is called $id', ({ round, starts, id }) => {
  const item = itemOf(17, { volumes: ['vm-4-disk-0', 'vm-4-disk-1'] });
  expect(childIdOf('weekend', item, { round, starts })).toBe(id);
  // Where names are hidden, the number alone tells the moves apart.
  expect(childIdOf('weekend', item, { round, starts }, 'numbered')).toBe(id.replace(`-${item.volumes[0]}`, ''));
});

describe('the moves a minute', () => {
  const paceOf = (...endsMs: number[]): Pace => {
    const pace = new Pace();
    for (const endMs of endsMs) pace.ended(endMs);
    return pace;
  };
  test.each([
    { what: 'none ended', pace: paceOf(), nowMs: 60_000, sinceMs: 0, perMinute: 0 },
    { what: 'two ended in a minute', pace: paceOf(1_000, 59_000), nowMs: 60_000, sinceMs: 0, perMinute: 2 },
    { what: 'one ended in three minutes', pace: paceOf(1_000), nowMs: 180_000, sinceMs: 0, perMinute: 0.3 },
    { what: 'one ended in the first second', pace: paceOf(500), nowMs: 1_000, sinceMs: 0, perMinute: 6 },
    { what: 'the batch is as old as its end', pace: paceOf(90_000), nowMs: 120_000, sinceMs: 60_000, perMinute: 1 },
    { what: 'five minutes count', pace: paceOf(300_000), nowMs: 609_999, sinceMs: 0, perMinute: 0.2 },
    { what: 'older ones do not', pace: paceOf(300_000), nowMs: 610_000, sinceMs: 0, perMinute: 0 },
  ])('when $what is $perMinute', ({ pace, nowMs, sinceMs, perMinute }) => {
    expect(pace.perMinute(nowMs, sinceMs)).toBe(perMinute);
    expect(new Pace(pace.toJSON()).perMinute(nowMs, sinceMs)).toBe(perMinute);
  });

  test('are counted in spans of ten seconds, the last thirty of them', () => {
    expect(paceOf(9_999, 10_000, 19_999, 20_000).toJSON()).toEqual([
      [0, 1],
      [10_000, 2],
      [20_000, 1],
    ]);
    const many = paceOf(...Array.from({ length: 31 }, (_, i) => i * 10_000));
    expect(many.toJSON()).toHaveLength(30);
    expect(many.toJSON()[0]).toEqual([10_000, 1]);
  });
});

test.each([
  { perSecond: undefined, starts: [1_000, 1_000], nextAtMs: 0, kept: [] },
  { perSecond: 1, starts: [], nextAtMs: 0, kept: [] },
  { perSecond: 1, starts: [1_000], nextAtMs: 2_000, kept: [1_000] },
  { perSecond: 0.5, starts: [1_000], nextAtMs: 3_000, kept: [1_000] },
  { perSecond: 0.3, starts: [1_000], nextAtMs: 4_334, kept: [1_000] },
  { perSecond: 2, starts: [1_000], nextAtMs: 0, kept: [1_000] },
  { perSecond: 2, starts: [1_000, 1_100], nextAtMs: 2_000, kept: [1_000, 1_100] },
  { perSecond: 2, starts: [1_000, 1_100, 2_000], nextAtMs: 2_100, kept: [1_100, 2_000] },
  { perSecond: 2.5, starts: [1_000, 1_100], nextAtMs: 1_800, kept: [1_000, 1_100] },
])('at $perSecond starts a second after $starts the next is at $nextAtMs', ({ perSecond, starts, nextAtMs, kept }) => {
  const rate = new StartRate(perSecond);
  for (const startedAtMs of starts) rate.started(startedAtMs);
  expect(rate.nextAtMs()).toBe(nextAtMs);
  expect(rate.toJSON()).toEqual(kept);
});
