// How far a flush is: the rate at which bytes become fewer, and the words for it.
import { describe, expect, test } from 'vitest';
import { ShrinkRate } from '../../activities/shrink-rate.js';
import { doingText, moveLine, retryingLine, stageLine } from '../../client/cli/move-view.js';
import { bytesSchema } from '../../contracts/numbers.js';
import { moveIdSchema } from '../../contracts/ids.js';
import { type Heartbeat, moveProgressSchema } from '../../contracts/move.js';

const MIB = 1024 * 1024;

describe('the rate of a flush', () => {
  test('is what went within the last 10 s', () => {
    const rate = new ShrinkRate();
    expect(rate.sample(100 * MIB, 0)).toBeUndefined();
    expect(rate.sample(90 * MIB, 5_000)).toBe(2 * MIB);
    expect(rate.sample(85 * MIB, 10_000)).toBe(1.5 * MIB);
    // What went more than 10 s ago counts no more.
    expect(rate.sample(80 * MIB, 15_000)).toBe(MIB);
    expect(rate.sample(75 * MIB, 20_000)).toBe(MIB);
  });

  test('is unknown while a guest writes as fast as is sent', () => {
    const rate = new ShrinkRate();
    rate.sample(MIB, 0);
    expect(rate.sample(MIB, 1_000)).toBeUndefined();
    expect(rate.sample(2 * MIB, 2_000)).toBeUndefined();
  });
});

describe('the words', () => {
  const flush = (more: Partial<Heartbeat>): Heartbeat => ({
    doing: 'waiting for small lag',
    bytesLeft: bytesSchema.parse(Math.round(19.4 * MIB)),
    ...more,
  });

  test('before the fence say how much, how fast, how long, and that it is not up', () => {
    expect(doingText(flush({ bytesPerSecond: 0.7 * MIB }))).toBe(
      '19.4 MiB left, 717 KiB/s, about 27.7 s, not fenced yet',
    );
  });

  test('say why it waits', () => {
    expect(doingText(flush({ waitsFor: 'vm-1-disk-0 is INITIALIZING' }))).toBe(
      'vm-1-disk-0 is INITIALIZING, 19.4 MiB left, not fenced yet',
    );
  });

  test('behind the fence say how long it has been up', () => {
    expect(stageLine('flush', 2_000, flush({ doing: 'draining', fencedMs: 200 }))).toBe(
      '  … flush: 19.4 MiB left, fenced 200 ms (2.0 s)',
    );
  });
});

test('the line of a move that queues says what it waits for', () => {
  const progress = moveProgressSchema.parse({
    move: 'm-2',
    volumes: ['v1'],
    to: 'silver',
    stage: 'queued',
    attempt: 1,
    waitsFor: 'Waits since noon: move m-1 has volume "v1".',
    steps: [],
  });
  const move = { moveId: moveIdSchema.parse('m-2'), workflowId: 'm-2', runId: 'r-1', url: undefined, startedAtMs: 0 };
  expect(moveLine({ ...move, state: 'running', progress }, 2_000)).toBe(
    'v1 → silver  queued, 2.0 s  m-2  Waits since noon: move m-1 has volume "v1".',
  );
});

test('a step that is tried again says why, after how many failures, and when', () => {
  const retrying = { failures: 3, message: 'Splitter "h" still awaits the verdict.' };
  expect(retryingLine('notify', { ...retrying, nextAtMs: 0 })).toBe(
    '  notify is tried again, at 1970-01-01T00:00:00.000Z, after 3 failures: Splitter "h" still awaits the verdict.',
  );
  expect(retryingLine('notify', { ...retrying, failures: 1 })).toBe(
    '  notify is tried again, after 1 failure: Splitter "h" still awaits the verdict.',
  );
});
