// What each limit on a batch's next move says by itself: the window, the canary, the failure
// policy, and a stop.
import { describe, expect, test } from 'vitest';
import type { Stop } from '../../contracts/batch-run.js';
import { nothingToDo } from '../../workflows/batch/core/batch-report.js';
import { Canary } from '../../workflows/batch/core/canary.js';
import { stopForFailures } from '../../workflows/batch/core/failure-policy.js';
import { stopOf } from '../../workflows/batch/core/stop.js';
import { WindowGate } from '../../workflows/batch/core/window-gate.js';
import { BatchModel, itemsOf } from '../support/batch-model.js';

const DAILY = { timeZone: 'UTC', start: '00:00', end: '01:00' };
const OPEN = { opensAtMs: 1_000, closesAtMs: 2_000 };
const BUSY = { expectedMs: 300, isIdle: false };
const IDLE = { expectedMs: 300, isIdle: true };

describe('the gate of a maintenance window', () => {
  const finish = new WindowGate({ window: DAILY, atWindowEnd: 'finish' }, OPEN);
  const wait = new WindowGate({ window: DAILY, atWindowEnd: 'wait' }, OPEN);

  test('is open for a batch without a window, and asks for a window that it was not told', () => {
    expect(new WindowGate({ window: undefined, atWindowEnd: 'finish' }, undefined).gateAt(0, IDLE).kind).toBe('open');
    expect(new WindowGate({ window: DAILY, atWindowEnd: 'finish' }, undefined).gateAt(0, IDLE).kind).toBe('ask');
  });

  test('opens with the window, and closes as soon as no further move is expected to end in it', () => {
    expect(finish.gateAt(999, BUSY)).toEqual({ kind: 'closed', untilMs: 1_000 });
    expect(finish.gateAt(1_000, BUSY).kind).toBe('open');
    expect(finish.gateAt(1_700, BUSY).kind).toBe('open');
    expect(finish.gateAt(1_701, BUSY)).toEqual({ kind: 'closed', untilMs: 2_000 });
  });

  test('is over when nothing runs that could change what is expected, unless the batch waits for the next window', () => {
    expect(finish.gateAt(1_701, IDLE).kind).toBe('over');
    expect(wait.gateAt(1_701, IDLE)).toEqual({ kind: 'closed', untilMs: 2_000 });
    expect(finish.gateAt(2_000, BUSY).kind).toBe('over');
    expect(wait.gateAt(2_000, BUSY).kind).toBe('ask');
  });

  test('is over for moves that are expected to last longer than any window is open', () => {
    expect(wait.gateAt(1_000, { expectedMs: 1_001, isIdle: true })).toEqual({
      kind: 'over',
      text: 'No move fits into the maintenance window: a move is expected to last 1001 ms, longer than the window is open.',
    });
    expect(wait.gateAt(1_000, { expectedMs: 1_001, isIdle: false })).toEqual({ kind: 'closed', untilMs: 2_000 });
  });

  test('ends a batch that is paused when its window ends, but not one that waits for the next', () => {
    expect(finish.gateWhileHeld(1_999)).toEqual({ kind: 'closed', untilMs: 2_000 });
    expect(finish.gateWhileHeld(2_000).kind).toBe('over');
    expect(wait.gateWhileHeld(2_000)).toEqual({ kind: 'closed', untilMs: Infinity });
  });

  test('is what moves give up for, unless the input gives an earlier time', () => {
    expect(finish.isFenceBy(undefined)).toBe(true);
    expect(finish.isFenceBy(2_000)).toBe(true);
    expect(finish.isFenceBy(1_999)).toBe(false);
    expect(new WindowGate({ window: DAILY, atWindowEnd: 'finish' }, undefined).isFenceBy(undefined)).toBe(false);
  });
});

describe('a canary', () => {
  test('lets the first moves have their turn, and all of them once it is approved', () => {
    const canary = new Canary({ count: 3, approval: true }, 'running');
    expect(canary.startable(10)).toBe(3);
    expect(canary.startable(2)).toBe(2);
    expect(canary.ended({ failed: 1, planned: 10 })).toBeUndefined();
    expect(canary.state).toBe('waiting');
    canary.approve();
    expect(canary.startable(10)).toBe(10);
  });

  test('that nobody is to approve stops the batch when one of its moves failed', () => {
    const canary = new Canary({ count: 3, approval: false }, 'running');
    expect(canary.ended({ failed: 1, planned: 10 })).toEqual({
      why: 'canary',
      running: 'finish',
      text: '1 of the first 3 moves failed.',
    });
  });

  test('passes by itself when there are no other moves', () => {
    const canary = new Canary({ count: 3, approval: true }, 'running');
    expect(canary.ended({ failed: 3, planned: 3 })).toBeUndefined();
    expect(canary.state).toBe('passed');
  });

  test('that waits for approval runs again when its failed moves get another turn', () => {
    const canary = new Canary({ count: 3, approval: true }, 'waiting');
    canary.reopen();
    expect(canary.state).toBe('running');
    const passed = new Canary({ count: 3, approval: true }, 'passed');
    passed.reopen();
    expect(passed.state).toBe('passed');
  });
});

test('a failure policy stops at its count or its percentage, whichever comes first', () => {
  const stopAfter = (failed: number): unknown =>
    stopForFailures({ policy: 'stop-after', count: 5, percent: 10 }, { failed, planned: 30 })?.why;
  expect(stopAfter(2)).toBeUndefined();
  expect(stopAfter(3)).toBe('failures');
  const byCount = { policy: 'stop-after', count: 5 } as const;
  expect(stopForFailures(byCount, { failed: 4, planned: 4 })).toBeUndefined();
  expect(stopForFailures(byCount, { failed: 5, planned: 1_000 })?.running).toBe('finish');
  expect(stopForFailures({ policy: 'stop-now' }, { failed: 1, planned: 9 })?.running).toBe('roll-back');
  expect(stopForFailures({ policy: 'continue' }, { failed: 9, planned: 9 })).toBeUndefined();
});

test('of several reasons to stop the first stands, but for a cancellation; the stricter wish about running moves counts', () => {
  const aborted: Stop = { why: 'aborted', running: 'finish', text: 'ann' };
  const failures: Stop = { why: 'failures', running: 'roll-back', text: 'too many' };
  const cancelled: Stop = { why: 'cancelled', running: 'roll-back', text: 'cancelled' };
  expect(stopOf(undefined, aborted)).toEqual(aborted);
  expect(stopOf(aborted, failures)).toEqual({ ...aborted, running: 'roll-back' });
  expect(stopOf(failures, aborted)).toEqual(failures);
  expect(stopOf(failures, cancelled)).toEqual(cancelled);
  expect(stopOf(cancelled, failures)).toEqual(cancelled);
});

test('the expected end is told while moves go on, and not while the batch waits for a person', () => {
  const model = new BatchModel(itemsOf(4), { concurrency: { all: 1 } });
  model.settle();
  model.nowMs += 10_000;
  model.end(0, { kind: 'moved', tookMs: 10_000 });
  model.settle();
  expect(model.batch.progress(model.nowMs).expectedEndMs).toBeGreaterThan(model.nowMs);
  model.batch.pause('ann');
  expect(model.batch.progress(model.nowMs)).not.toHaveProperty('expectedEndMs');
  model.batch.resume();
  expect(model.batch.progress(model.nowMs)).toHaveProperty('expectedEndMs');
  // What does not fit into the window waits for the next one, and nobody knows when that is over.
  model.batch.opened({ opensAtMs: 0, closesAtMs: model.nowMs + 1 });
  expect(model.batch.progress(model.nowMs)).not.toHaveProperty('expectedEndMs');
});

test.each([
  ['nothing-selected', 0, 0],
  ['all-there', 3, 0],
  [undefined, 3, 1],
])('a batch without a move to make ends as %s when %i are there and %i refused', (outcome, alreadyThere, refused) => {
  const { batch } = new BatchModel([]);
  expect(nothingToDo({ ...batch.counts(), alreadyThere, refused })?.outcome).toBe(outcome);
});

test.each(['its own run', 'a new run'])(
  'what waits for another try when a batch stops in %s has failed, with the reason of its last try',
  (where) => {
    const model = new BatchModel(itemsOf(3), { retries: { max: 5, backoffMs: 1_000 } });
    model.settle();
    for (const seq of [0, 1, 2]) model.end(seq, { kind: 'failed', message: `no ${seq}`, stands: false });
    model.settle();
    expect(model.batch.counts()).toMatchObject({ waiting: 3, failed: 0 });
    if (where === 'a new run') model.renew();
    model.batch.end({ why: 'aborted', running: 'finish', text: 'ann aborted the batch.' });
    model.settle();
    expect(model.isOver).toBe(true);
    expect(model.batch.counts()).toMatchObject({ waiting: 0, failed: 3 });
    expect(model.batch.failures.map(({ message, tries }) => [message, tries])).toEqual([
      ['no 0', 1],
      ['no 1', 1],
      ['no 2', 1],
    ]);
  },
);

test('failed moves that get another turn keep it in a new run', () => {
  const model = new BatchModel(itemsOf(3), { concurrency: { all: 1 } });
  for (const seq of [0, 1]) {
    model.settle();
    model.end(seq, { kind: 'failed', message: 'no', stands: true });
  }
  model.settle();
  expect(model.batch.retryFailed()).toBe(2);
  model.renew();
  const order = [2, 0, 1];
  for (const seq of order) {
    model.settle();
    expect([...model.flying.keys()]).toEqual([seq]);
    model.end(seq, { kind: 'moved', tookMs: 1 });
  }
  model.settle();
  expect(model.isOver).toBe(true);
  expect([...model.workflowIds]).toEqual(['b/0-v0', 'b/1-v1', 'b/2-v2', 'b/0-v0-again-1', 'b/1-v1-again-1']);
});

test('moves that run are asked to roll back once, also when a new run goes on with it', () => {
  const model = new BatchModel(itemsOf(2));
  model.settle();
  model.batch.end({ why: 'aborted', running: 'roll-back', text: 'ann aborted the batch.' });
  expect(model.batch.decide(model.nowMs)).toEqual({ kind: 'cancel', workflowIds: ['b/0-v0', 'b/1-v1'] });
  model.renew();
  model.settle();
  expect(model.cancelAsked.size).toBe(0);
});
