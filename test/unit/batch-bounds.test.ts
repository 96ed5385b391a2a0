// The bounds in a batch's decisions, each from both sides: skips, the failure policy, retries,
// durations, and the moves not yet considered.
import { describe, expect, test } from 'vitest';
import { type BatchOptions, batchOptionsSchema } from '../../contracts/batch.js';
import { BATCH_RETRIES_WAITING_MAX, BATCH_SKIPS_MAX } from '../../contracts/batch-run.js';
import { volumeIdSchema } from '../../contracts/ids.js';
import { Durations } from '../../workflows/batch/core/durations.js';
import { stopForFailures } from '../../workflows/batch/core/failure-policy.js';
import { FreshTurns } from '../../workflows/batch/core/fresh-turns.js';
import { Retries } from '../../workflows/batch/core/retries.js';
import { SeqSet } from '../../workflows/batch/core/seq-set.js';
import { Skips } from '../../workflows/batch/core/skips.js';
import { itemOf } from '../support/batch-state.js';

const v = (id: string) => volumeIdSchema.parse(id);

describe('the volumes to leave out', () => {
  test('have room for a thousand, in a new run too', () => {
    const skips = new Skips(Array.from({ length: BATCH_SKIPS_MAX - 1 }, (_, i) => v(`v${i}`)));
    expect(skips.hasRoom()).toBe(true);
    skips.add(v('v0'));
    expect(skips.hasRoom(), 'the same volume again takes no room').toBe(true);
    skips.add(v('last'));
    expect(skips.hasRoom()).toBe(false);
    expect(new Skips(skips.toJSON()).hasRoom()).toBe(false);
  });

  test.each([
    { volumes: ['a'], isCovered: true },
    { volumes: ['x', 'a'], isCovered: true },
    { volumes: ['a', 'b'], isCovered: true },
    { volumes: ['x', 'y'], isCovered: false },
  ])('cover a move of $volumes: $isCovered', ({ volumes, isCovered }) => {
    const skips = new Skips([v('a')]);
    skips.add(v('b'));
    expect(new Skips(skips.toJSON()).covers(itemOf(0, { volumes }))).toBe(isCovered);
    expect(skips.toJSON()).toEqual(['a', 'b']);
  });
});

describe('the failure policy', () => {
  type Policy = BatchOptions['failures'];
  const countOf3: Policy = { policy: 'stop-after', count: 3 };
  const percentOf10: Policy = { policy: 'stop-after', percent: 10 };
  const both: Policy = { policy: 'stop-after', count: 3, percent: 10 };
  test.each<{ policy: Policy; failed: number; planned: number; stops: boolean }>([
    { policy: countOf3, failed: 2, planned: 2, stops: false },
    { policy: countOf3, failed: 3, planned: 1_000, stops: true },
    { policy: countOf3, failed: 4, planned: 1_000, stops: true },
    { policy: percentOf10, failed: 1, planned: 11, stops: false },
    { policy: percentOf10, failed: 1, planned: 10, stops: true },
    { policy: percentOf10, failed: 99, planned: 1_000, stops: false },
    { policy: percentOf10, failed: 100, planned: 1_000, stops: true },
    { policy: both, failed: 2, planned: 21, stops: false },
    { policy: both, failed: 2, planned: 20, stops: true },
    { policy: both, failed: 3, planned: 1_000, stops: true },
    { policy: { policy: 'stop-after', percent: 0.5 }, failed: 1, planned: 201, stops: false },
    { policy: { policy: 'stop-after', percent: 0.5 }, failed: 1, planned: 200, stops: true },
    { policy: { policy: 'stop-after', percent: 100 }, failed: 9, planned: 10, stops: false },
    { policy: { policy: 'stop-after', percent: 100 }, failed: 10, planned: 10, stops: true },
  ])('$policy with $failed of $planned failed stops: $stops', ({ policy, failed, planned, stops }) => {
    expect(stopForFailures(policy, { failed, planned })).toEqual(
      stops
        ? {
            why: 'failures',
            running: 'finish',
            text: `${failed} of ${planned} moves failed, which is the limit of the failure policy.`,
          }
        : undefined,
    );
  });

  test('stop-now rolls running moves back at the first failure, and continue never stops', () => {
    expect(stopForFailures({ policy: 'stop-now' }, { failed: 1, planned: 1_000 })).toEqual({
      why: 'failures',
      running: 'roll-back',
      text: 'A move failed, and the failure policy stops the batch at the first failure.',
    });
    expect(stopForFailures({ policy: 'continue' }, { failed: 5, planned: 5 })).toBeUndefined();
  });
});

describe('failed moves that await a try', () => {
  const optionsOf = (max: number, backoffMs: number): BatchOptions['retries'] =>
    batchOptionsSchema.parse({ retries: { max, backoffMs } }).retries;
  const DAY_MS = 24 * 3_600_000;
  const last = { message: 'no' };
  const ticket = (seq: number, failures: number) => ({ seq, round: 0, starts: failures, failures });

  test.each([
    { max: 0, failures: 1, waits: false },
    { max: 1, failures: 1, waits: true },
    { max: 1, failures: 2, waits: false },
    { max: 3, failures: 3, waits: true },
    { max: 3, failures: 4, waits: false },
  ])('with $max retries allowed and $failures failures: waits $waits', ({ max, failures, waits }) => {
    const retries = new Retries(optionsOf(max, 1_000), []);
    expect(retries.add(ticket(7, failures), last, 0)).toBe(waits);
    expect([retries.size, retries.has(7)]).toEqual([Number(waits), waits]);
  });

  test.each([
    { backoffMs: 1_000, failures: 1, pauseMs: 1_000 },
    { backoffMs: 1_000, failures: 2, pauseMs: 2_000 },
    { backoffMs: 1_000, failures: 5, pauseMs: 16_000 },
    { backoffMs: DAY_MS, failures: 1, pauseMs: DAY_MS },
    { backoffMs: DAY_MS / 2, failures: 2, pauseMs: DAY_MS },
    { backoffMs: 60_000, failures: 20, pauseMs: DAY_MS },
  ])('after failure $failures at $backoffMs ms pause $pauseMs ms', ({ backoffMs, failures, pauseMs }) => {
    const retries = new Retries(optionsOf(20, backoffMs), []);
    retries.add(ticket(7, failures), { code: 'GROUP_FULL', message: 'slow' }, 5_000);
    expect(retries.toJSON()).toEqual([
      { ...ticket(7, failures), dueAtMs: 5_000 + pauseMs, last: { code: 'GROUP_FULL', message: 'slow' } },
    ]);
  });

  test('are due from their time on; until then the batch knows the nearest', () => {
    const retries = new Retries(optionsOf(3, 1_000), []);
    retries.add(ticket(1, 2), last, 0);
    retries.add(ticket(2, 1), last, 500);
    expect(retries.due(1_499)).toEqual([]);
    expect(retries.nextDueAtMs(1_499)).toBe(1_500);
    expect(retries.due(1_500).map(({ seq }) => seq)).toEqual([2]);
    expect(retries.nextDueAtMs(1_500)).toBe(2_000);
    expect(retries.due(2_000).map(({ seq }) => seq)).toEqual([1, 2]);
    expect(retries.nextDueAtMs(2_000)).toBe(Infinity);
    retries.delete(1);
    expect([retries.has(1), retries.has(2), retries.size]).toEqual([false, true, 1]);
    expect(retries.takeAll().map(({ seq }) => seq)).toEqual([2]);
    expect([retries.has(2), retries.size, retries.toJSON()]).toEqual([false, 0, []]);
  });

  test('are full at five hundred', () => {
    const retries = new Retries(optionsOf(3, 1_000), []);
    for (let seq = 0; seq < BATCH_RETRIES_WAITING_MAX - 1; seq += 1) retries.add(ticket(seq, 1), last, 0);
    expect(retries.isFull).toBe(false);
    retries.add(ticket(BATCH_RETRIES_WAITING_MAX, 1), last, 0);
    expect(retries.isFull).toBe(true);
    expect(new Retries(optionsOf(3, 1_000), retries.toJSON()).isFull).toBe(true);
  });
});

describe('the expected duration of a move', () => {
  const after = (tookMs: readonly number[], beforehandMs = 1): number => {
    const durations = new Durations();
    for (const each of tookMs) durations.add(each);
    const expectedMs = durations.expectedMs(beforehandMs);
    expect(Durations.from(durations.toJSON()).expectedMs(beforehandMs), 'in a new run').toBe(expectedMs);
    return expectedMs;
  };
  const times = (count: number, tookMs: number): number[] => Array.from({ length: count }, () => tookMs);

  test.each([
    [0, 1],
    [1, 1],
    [2, 2],
    [5, 5],
    [6, 7],
    [7, 7],
    [8, 9],
    [12, 12],
    [13, 15],
    [19, 19],
    [20, 24],
  ])('after moves of %i ms is %i ms: the upper bound of their bucket', (tookMs, expectedMs) => {
    expect(after(times(5, tookMs))).toBe(expectedMs);
  });

  test.each([
    { what: 'nothing is measured', tookMs: [], expectedMs: 10 },
    { what: 'four moves were quicker', tookMs: times(4, 5), expectedMs: 10 },
    { what: 'five moves were quicker', tookMs: times(5, 5), expectedMs: 5 },
    { what: 'one move was slower', tookMs: [12], expectedMs: 12 },
    { what: 'one of twenty was slower', tookMs: [...times(19, 5), 12], expectedMs: 5 },
    { what: 'two of twenty-one were slower', tookMs: [...times(19, 5), 12, 12], expectedMs: 12 },
    { what: 'one of nineteen was slower', tookMs: [...times(18, 5), 12], expectedMs: 12 },
  ])('when 10 ms were expected beforehand and $what is $expectedMs ms', ({ tookMs, expectedMs }) => {
    expect(after(tookMs, 10)).toBe(expectedMs);
  });

  test('of a move longer than the histogram is the end of the histogram, not unknown', () => {
    const weekMs = 7 * 24 * 3_600_000;
    expect(after(times(5, weekMs))).toBe(after(times(5, 24 * 3_600_000)));
    expect(after(times(5, weekMs))).toBeLessThan(weekMs);
  });

  test('is carried as buckets in their order with a count each', () => {
    const durations = new Durations();
    for (const tookMs of [5, 1, 5, 2]) durations.add(tookMs);
    expect(durations.toJSON()).toEqual([
      [0, 1],
      [1, 1],
      [4, 2],
    ]);
  });
});

describe('the moves not yet considered', () => {
  const begun = (cursor = 0): FreshTurns => new FreshTurns({ cursor, round: 0, again: [] });
  const setOf = (...seqs: number[]): SeqSet => {
    const set = new SeqSet();
    for (const seq of seqs) set.add(seq);
    return set;
  };

  test("come in the plan's order, each until it is passed, and none from the bound on", () => {
    const turns = begun();
    const first = { seq: 0, round: 0, starts: 0, failures: 0 };
    expect([turns.next(2), turns.next(2)]).toEqual([first, first]);
    turns.pass(first);
    expect(turns.next(2)).toEqual({ ...first, seq: 1 });
    expect(turns.isDone(2)).toBe(false);
    turns.pass({ ...first, seq: 1 });
    expect(turns.next(2)).toBeUndefined();
    expect([turns.isDone(2), turns.isDone(3)]).toEqual([true, false]);
    expect([0, 1, 2, 3].map((seq) => turns.has(seq))).toEqual([false, false, true, true]);
  });

  test.each([
    { cursor: 0, startable: 3, page: [0, 1, 2] },
    { cursor: 5, startable: 7, page: [5, 6] },
    { cursor: 7, startable: 1_000, page: Array.from({ length: 200 }, (_, i) => 7 + i) },
    { cursor: 0, startable: 200, page: Array.from({ length: 200 }, (_, i) => i) },
  ])('are read from $cursor on below $startable, at most 200 at once', ({ cursor, startable, page }) => {
    expect(begun(cursor).page(startable)).toEqual(page);
  });

  test('begin with the failed ones when these get another turn, each as new in the next round', () => {
    const turns = begun(5);
    const failed = setOf(3, 1);
    turns.beginRound(failed);
    expect(failed.size, 'they have left the failed').toBe(0);
    expect([0, 1, 3, 4].map((seq) => turns.has(seq))).toEqual([false, true, true, false]);
    expect(turns.isDone(5)).toBe(false);
    for (const seq of [1, 3]) {
      const ticket = { seq, round: 1, starts: 0, failures: 0 };
      expect(turns.next(6)).toEqual(ticket);
      expect(turns.page(6)).toEqual([seq]);
      turns.pass(ticket);
    }
    expect(turns.isDone(5)).toBe(true);
    expect(turns.next(6), 'the rest of the plan is still in its first round').toEqual({
      seq: 5,
      round: 0,
      starts: 0,
      failures: 0,
    });
    expect(turns.carried()).toEqual({ cursor: 5, round: 1, again: [] });
  });

  test('keep their place and their round in a new run', () => {
    const turns = begun(40);
    turns.beginRound(setOf(2, 33));
    turns.beginRound(setOf(7));
    const again = new FreshTurns(turns.carried());
    expect(again.carried()).toEqual({
      cursor: 40,
      round: 2,
      again: [
        [0, 0b1000_0100],
        [1, 0b10],
      ],
    });
    expect(again.next(50)).toEqual({ seq: 2, round: 2, starts: 0, failures: 0 });
  });
});
