// Moves of a batch that fail, get another try, or are left out.
import { describe, expect, test } from 'vitest';
import type { MoveEnd } from '../../contracts/batch-run.js';
import { batchItemSchema } from '../../contracts/batch.js';
import { volumeIdSchema } from '../../contracts/ids.js';
import { SeqSet } from '../../workflows/batch/core/seq-set.js';
import { BatchModel, itemsOf } from '../support/batch-model.js';

const FAILED: MoveEnd = { kind: 'failed', message: 'no', stands: false };
/** A failure that gets no retry by itself. */
const FAILED_FOR_GOOD: MoveEnd = { ...FAILED, stands: true };

describe('given a move that fails each time', () => {
  test('when three retries are allowed, then there are four tries, and each pause is twice the one before', () => {
    const model = new BatchModel(itemsOf(1), { retries: { max: 3, backoffMs: 1_000 } });
    const pausesMs: number[] = [];
    for (let untilMs = model.settle(); !model.isOver; untilMs = model.settle()) {
      if (untilMs !== undefined) {
        pausesMs.push(untilMs - model.nowMs);
        model.nowMs = untilMs;
      } else model.end(0, FAILED);
    }
    expect(model.starts.get(0)).toBe(4);
    expect(pausesMs).toEqual([1_000, 2_000, 4_000]);
    expect(model.batch.failures).toMatchObject([{ tries: 4 }]);
  });

  test('when the batch is stopping already, then the failure counts at once', () => {
    const model = new BatchModel(itemsOf(1), { retries: { max: 3, backoffMs: 1_000 } });
    model.settle();
    model.batch.end({ why: 'aborted', running: 'finish', text: 'ann aborted the batch.' });
    model.end(0, FAILED);
    expect(model.batch.counts()).toMatchObject({ waiting: 0, failed: 1 });
  });
});

describe('given failed moves that get another turn', () => {
  test('when they fail again, then each is shown once', () => {
    const model = new BatchModel(itemsOf(2));
    for (let round = 0; round < 2; round += 1) {
      model.settle();
      for (const seq of [0, 1]) model.end(seq, FAILED_FOR_GOOD);
      if (round === 0) expect(model.batch.retryFailed()).toBe(2);
    }
    expect(model.batch.failures.map(({ seq }) => seq)).toEqual([0, 1]);
  });

  test('when they are the canary, then they run again before anybody is asked', () => {
    const model = new BatchModel(itemsOf(5), { canary: { count: 2, approval: true } });
    model.settle();
    for (const seq of [0, 1]) model.end(seq, FAILED_FOR_GOOD);
    model.settle();
    expect(model.batch.canary).toBe('waiting');
    expect(model.batch.retryFailed()).toBe(2);
    model.settle();
    expect([...model.flying.keys()]).toEqual([0, 1]);
    for (const seq of [0, 1]) model.end(seq, { kind: 'moved', tookMs: 1 });
    model.settle();
    expect(model.batch.canary).toBe('waiting');
    expect(model.flying.size).toBe(0);
  });

  test('when they are far apart, then a look from the middle on hides none of them', () => {
    const set = new SeqSet();
    for (const seq of [3, 500]) set.add(seq);
    expect(set.first(64)).toBe(500);
    expect(set.first()).toBe(3);
  });
});

test('given a machine with two disks, when one of them is to be left out, then both are', () => {
  const item = batchItemSchema.parse({ ...itemsOf(1)[0], volumes: ['disk-0', 'disk-1'] });
  const model = new BatchModel([item]);
  model.batch.skips.add(volumeIdSchema.parse('disk-1'));
  model.settle();
  expect(model.starts.size).toBe(0);
  expect(model.batch.counts()).toMatchObject({ skipped: 1, waiting: 0 });
});
