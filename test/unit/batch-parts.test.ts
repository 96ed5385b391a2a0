// The small parts that a batch's decisions are made of, and some decisions by themselves.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BATCH_LOOK_AHEAD_MAX, BATCH_RETRIES_WAITING_MAX, carriedBatchSchema } from '../../contracts/batch-run.js';
import { Durations } from '../../workflows/batch/core/durations.js';
import { Pace } from '../../workflows/batch/core/pace.js';
import { SeqSet } from '../../workflows/batch/core/seq-set.js';
import { StartRate } from '../../workflows/batch/core/start-rate.js';
import { BatchModel, itemsOf } from '../support/batch-model.js';

test('a set of moves is a set, through JSON too', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(200))), (changes) => {
      let set = new SeqSet();
      const model = new Set<number>();
      for (const [isAdded, seq] of changes) {
        if (isAdded) set.add(seq);
        else expect(set.delete(seq)).toBe(model.has(seq));
        if (isAdded) model.add(seq);
        else model.delete(seq);
        expect(set.size).toBe(model.size);
        expect(set.first()).toBe(model.size === 0 ? undefined : Math.min(...model));
        set = SeqSet.from(JSON.parse(JSON.stringify(set)) as [number, number][]);
        expect(set.has(seq)).toBe(model.has(seq));
      }
    }),
  );
});

describe('how long a move is expected to last', () => {
  test('is what was said beforehand while nothing is known', () => {
    expect(new Durations().expectedMs(60_000)).toBe(60_000);
  });

  test('is at least that while little is known, and measured after that: 95 of 100 last no longer', () => {
    const durations = new Durations();
    for (let i = 0; i < 4; i += 1) durations.add(500);
    expect(durations.expectedMs(60_000)).toBe(60_000);
    for (let i = 0; i < 15; i += 1) durations.add(500);
    durations.add(10_000);
    const expectedMs = Durations.from(durations.toJSON()).expectedMs(60_000);
    expect(expectedMs).toBeGreaterThanOrEqual(500);
    expect(expectedMs).toBeLessThan(650);
    for (let i = 0; i < 5; i += 1) durations.add(10_000);
    expect(durations.expectedMs(1)).toBeGreaterThanOrEqual(10_000);
  });
});

test('in no span of a second there are more starts than the rate', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.nat(700), { maxLength: 60 }), (perSecond, waits) => {
      let rate = new StartRate(perSecond);
      const startsMs: number[] = [];
      let nowMs = 1_000;
      for (const waitMs of waits) {
        nowMs = Math.max(nowMs + waitMs, rate.nextAtMs());
        rate.started(nowMs);
        startsMs.push(nowMs);
        rate = new StartRate(perSecond, rate.toJSON());
      }
      for (const fromMs of startsMs)
        expect(startsMs.filter((atMs) => atMs >= fromMs && atMs < fromMs + 1_000).length).toBeLessThanOrEqual(
          perSecond,
        );
    }),
  );
});

test('the rate of ends is counted over the last minutes', () => {
  const pace = new Pace();
  for (let i = 0; i < 60; i += 1) pace.ended(i * 1_000);
  expect(new Pace(pace.toJSON()).perMinute(60_000, 0)).toBe(60);
  expect(pace.perMinute(3_600_000, 0)).toBe(0);
});

test('what a batch of many moves carries from run to run stays small', () => {
  const model = new BatchModel(itemsOf(20_000), {
    concurrency: { all: 500, perTargetGroup: 1 },
    retries: { max: 3, backoffMs: 3_600_000 },
  });
  for (let i = 0; i < 200; i += 1) {
    model.settle();
    for (const seq of model.flying.keys())
      model.end(seq, { kind: 'failed', message: 'x'.repeat(5_000), stands: i % 2 === 0 });
  }
  const carried = model.batch.carried();
  expect(carriedBatchSchema.safeParse(carried).success).toBe(true);
  expect(carried.passed.length).toBeLessThanOrEqual(BATCH_LOOK_AHEAD_MAX);
  expect(carried.retries.length).toBeLessThanOrEqual(BATCH_RETRIES_WAITING_MAX);
  expect(JSON.stringify(carried).length).toBeLessThan(500_000);
});

test('a fence-by time of the input that has passed is a failure, not a move that comes again and again', () => {
  const model = new BatchModel(itemsOf(1), { move: { fenceByMs: 1 }, retries: { max: 3 } });
  model.settle();
  model.end(0, { kind: 'window-closed' });
  model.settle();
  expect(model.isOver).toBe(true);
  expect(model.batch.failures).toMatchObject([{ code: 'WINDOW_CLOSED', tries: 1 }]);
});
