// What a batch says of itself (its stage, its progress, its expected end) and what it decides next.
import { describe, expect, test } from 'vitest';
import { batchFailureSchema } from '../../contracts/batch.js';
import type { CarriedBatch, MoveEnd, Stop } from '../../contracts/batch-run.js';
import { ERRORS } from '../../contracts/errors.js';
import { moveIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import type { BatchCore } from '../../workflows/batch/core/batch-core.js';
import { BATCH_ID } from '../support/batch-model.js';
import { batchIn, BEGAN_MS, firstSeqs, flyingOf, itemOf, type OptionsInput, planOf } from '../support/batch-state.js';

const NOW_MS = 61_000;
const DAILY = { timeZone: 'UTC', start: '00:00', end: '01:00' };
const ABORTED: Stop = { why: 'aborted', running: 'finish', text: 'ann aborted the batch.' };
const STANDS: MoveEnd = { kind: 'failed', message: 'no', stands: true };
const MOVED: MoveEnd = { kind: 'moved', tookMs: 1 };
const plan = planOf(9);

/** The batch of a state with a plan of so many moves, all of them read. */
function readBatch(planned: number, options: OptionsInput = {}, state: Partial<CarriedBatch> = {}): BatchCore {
  const batch = batchIn({ plan: planOf(planned), ...state }, options);
  batch.provide(Array.from({ length: planned }, (_, seq) => itemOf(seq)));
  return batch;
}

describe('the stage of a batch', () => {
  const open = { opensAtMs: 0, closesAtMs: NOW_MS + 1 };
  const closed = { opensAtMs: NOW_MS + 1, closesAtMs: NOW_MS + 2 };
  const over = { opensAtMs: 0, closesAtMs: NOW_MS };
  const flying = [flyingOf(0)];
  test.each<{ what: string; state: Partial<CarriedBatch>; stage: string }>([
    { what: 'has no plan', state: {}, stage: 'planning' },
    { what: 'was paused before it had a plan', state: { pausedBy: 'ann' }, stage: 'planning' },
    { what: 'was stopped before it had a plan', state: { stop: ABORTED }, stage: 'stopping' },
    { what: 'was stopped while paused', state: { plan, pausedBy: 'ann', stop: ABORTED }, stage: 'stopping' },
    { what: 'has a plan', state: { plan }, stage: 'running' },
    { what: 'is paused', state: { plan, pausedBy: 'ann' }, stage: 'paused' },
    { what: 'is paused outside its window', state: { plan, pausedBy: 'ann', window: closed }, stage: 'paused' },
    { what: 'is paused at its canary', state: { plan, pausedBy: 'ann', canary: 'waiting' }, stage: 'paused' },
    { what: 'waits for approval', state: { plan, canary: 'waiting', window: closed }, stage: 'waiting-for-approval' },
    { what: 'runs its canary', state: { plan, canary: 'running' }, stage: 'canary' },
    { what: 'has passed its canary', state: { plan, canary: 'passed' }, stage: 'running' },
    { what: 'is in its window', state: { plan, window: open }, stage: 'running' },
    { what: 'is before its window', state: { plan, window: closed }, stage: 'waiting-for-window' },
    { what: 'is at the end of its window', state: { plan, window: over }, stage: 'waiting-for-window' },
    {
      what: 'has its canary before it',
      state: { plan, canary: 'running', window: closed },
      stage: 'waiting-for-window',
    },
    { what: 'still moves after its window', state: { plan, window: over, flying }, stage: 'running' },
    { what: 'still moves its canary', state: { plan, window: over, flying, canary: 'running' }, stage: 'canary' },
  ])('that $what is $stage', ({ state, stage }) => {
    const batch = batchIn(state);
    expect(batch.stage(NOW_MS)).toBe(stage);
    expect(batch.progress(NOW_MS).stage).toBe(stage);
  });
});

describe('the expected end', () => {
  /** Six moves a minute so far, two waiting and one running. */
  const state: Partial<CarriedBatch> = { plan, moved: 6, ends: [[50_000, 6]], flying: [flyingOf(6)], cursor: 7 };
  test.each<{ what: string; more: Partial<CarriedBatch>; expectedEndMs: number | undefined }>([
    { what: 'with three moves left at six a minute', more: {}, expectedEndMs: NOW_MS + 30_000 },
    { what: 'with seven ended, in whole milliseconds', more: { ends: [[50_000, 7]] }, expectedEndMs: NOW_MS + 25_715 },
    { what: 'when none has ended', more: { ends: [] }, expectedEndMs: undefined },
    { what: 'when none is left', more: { moved: 9, flying: [] }, expectedEndMs: undefined },
    { what: 'when only the running one is left', more: { moved: 8 }, expectedEndMs: NOW_MS + 10_000 },
    { what: 'while the canary runs', more: { canary: 'running' }, expectedEndMs: undefined },
    { what: 'while paused', more: { pausedBy: 'ann' }, expectedEndMs: undefined },
    { what: 'while stopping', more: { stop: ABORTED }, expectedEndMs: undefined },
    {
      what: 'at the end of the window',
      more: { window: { opensAtMs: 0, closesAtMs: NOW_MS + 30_000 } },
      expectedEndMs: NOW_MS + 30_000,
    },
    {
      what: 'after the end of the window',
      more: { window: { opensAtMs: 0, closesAtMs: NOW_MS + 29_999 } },
      expectedEndMs: undefined,
    },
  ])('$what is $expectedEndMs', ({ more, expectedEndMs }) => {
    const progress = batchIn({ ...state, ...more }).progress(NOW_MS);
    expect(progress.expectedEndMs).toBe(expectedEndMs);
    expect('expectedEndMs' in progress).toBe(expectedEndMs !== undefined);
  });
});

describe('the progress of a batch', () => {
  test('has all that is known', () => {
    const failure = batchFailureSchema.parse({ seq: 1, volumes: ['v1'], to: 'silver', tries: 1, message: 'no' });
    const window = { opensAtMs: 0, closesAtMs: 900_000 };
    const batch = batchIn(
      {
        plan: planOf(4, { alreadyThere: 1, refused: 2 }),
        cursor: 3,
        moved: 1,
        failed: [[0, 0b10]],
        failures: [failure],
        flying: [flyingOf(2)],
        ends: [[50_000, 2]],
        window,
      },
      { concurrency: { all: 7, perAppliance: 2 }, window: DAILY },
    );
    batch.provide([itemOf(2)]);
    batch.requested('ann: pause');
    expect(batch.progress(NOW_MS)).toEqual({
      batch: BATCH_ID,
      stage: 'running',
      counts: {
        planned: 4,
        waiting: 1,
        running: 1,
        moved: 1,
        failed: 1,
        cancelled: 0,
        alreadyThere: 1,
        skipped: 0,
        refused: 2,
      },
      concurrency: { all: 7, perAppliance: 2 },
      startedAtMs: BEGAN_MS,
      perMinute: 2,
      expectedEndMs: NOW_MS + 60_000,
      longest: [{ volumes: ['v2'], to: 'silver', sinceMs: BEGAN_MS }],
      failures: [failure],
      lastRequest: 'ann: pause',
      window,
    });
  });

  test('has no field for what is not known, and the stage that it is told', () => {
    const progress = batchIn({ plan }).progress(NOW_MS, 'done');
    expect(progress.stage).toBe('done');
    expect(Object.keys(progress).toSorted()).toEqual([
      'batch',
      'concurrency',
      'counts',
      'failures',
      'longest',
      'perMinute',
      'stage',
      'startedAtMs',
    ]);
  });
});

describe('a batch decides', () => {
  test.each<{ what: string; state: Partial<CarriedBatch>; options?: OptionsInput; decision: unknown }>([
    { what: 'to wait for its plan', state: {}, decision: { kind: 'wait' } },
    { what: 'to end when it is stopped before it has a plan', state: { stop: ABORTED }, decision: { kind: 'end' } },
    { what: 'to end when nothing is planned', state: { plan: planOf(0) }, decision: { kind: 'end' } },
    { what: 'to end when all is over', state: { plan, cursor: 9, moved: 9 }, decision: { kind: 'end' } },
    { what: 'to end when it is stopped and nothing runs', state: { plan, stop: ABORTED }, decision: { kind: 'end' } },
    {
      what: 'to read the first of its plan',
      state: { plan: planOf(1_000) },
      decision: { kind: 'read', seqs: Array.from({ length: 200 }, (_, seq) => seq) },
    },
    {
      what: 'to read what runs before anything else, 200 at once',
      state: { plan: planOf(300), cursor: 300, flying: Array.from({ length: 300 }, (_, seq) => flyingOf(seq)) },
      options: { concurrency: { all: 500 } },
      decision: { kind: 'read', seqs: Array.from({ length: 200 }, (_, seq) => seq) },
    },
    {
      what: 'to ask for its window',
      state: { plan },
      options: { window: DAILY },
      decision: { kind: 'window', atMs: NOW_MS },
    },
    {
      what: 'to wait for its window',
      state: { plan, window: { opensAtMs: NOW_MS + 7, closesAtMs: NOW_MS + 90_000 } },
      options: { window: DAILY },
      decision: { kind: 'wait', untilMs: NOW_MS + 7 },
    },
    { what: 'to wait while it is paused', state: { plan, pausedBy: 'ann' }, decision: { kind: 'wait' } },
    {
      what: 'to look again at the end of its window while it is paused',
      state: { plan, pausedBy: 'ann', window: { opensAtMs: 0, closesAtMs: NOW_MS + 7 } },
      options: { window: DAILY },
      decision: { kind: 'wait', untilMs: NOW_MS + 7 },
    },
    {
      what: 'to wait while its canary awaits approval',
      state: { plan, cursor: 2, moved: 2, canary: 'waiting' },
      options: { canary: { count: 2 } },
      decision: { kind: 'wait' },
    },
    {
      what: 'to cancel what runs when it rolls back',
      state: {
        plan,
        flying: [flyingOf(0), flyingOf(1, { cancelAsked: true })],
        stop: { ...ABORTED, running: 'roll-back' },
      },
      decision: { kind: 'cancel', workflowIds: ['b/0-v0'] },
    },
  ])('$what', ({ state, options, decision }) => {
    expect(batchIn(state, options).decide(NOW_MS)).toEqual(decision);
  });

  test('to start what its limits allow, and to wait for an end when they allow no more', () => {
    const batch = readBatch(3, { concurrency: { all: 2 } });
    const starts = [0, 1].map((seq) => ({ item: itemOf(seq), workflowId: `b/${seq}-v${seq}` }));
    expect(batch.decide(NOW_MS)).toEqual({ kind: 'start', starts });
    expect(batch.decide(NOW_MS)).toEqual({ kind: 'wait' });
    batch.ended(0, MOVED, NOW_MS);
    expect(batch.decide(NOW_MS)).toMatchObject({ kind: 'start', starts: [{ workflowId: 'b/2-v2' }] });
    for (const seq of [1, 2]) batch.ended(seq, MOVED, NOW_MS);
    expect(batch.decide(NOW_MS)).toEqual({ kind: 'end' });
  });

  test('to wait for the nearest of a rate, a retry and the end of its window', () => {
    const window = { opensAtMs: 0, closesAtMs: NOW_MS + 100_000 };
    const options = { window: DAILY, expectedMoveMs: 1, retries: { max: 1, backoffMs: 10_000 } };
    const batch = readBatch(2, { ...options, startsPerSecond: 0.02 }, { window });
    expect(batch.decide(NOW_MS)).toMatchObject({ kind: 'start', starts: [{ workflowId: 'b/0-v0' }] });
    expect(batch.decide(NOW_MS)).toEqual({ kind: 'wait', untilMs: NOW_MS + 50_000 });
    batch.ended(0, { ...STANDS, stands: false }, NOW_MS + 1);
    expect(batch.decide(NOW_MS + 1)).toEqual({ kind: 'wait', untilMs: NOW_MS + 10_001 });
    batch.opened({ opensAtMs: 0, closesAtMs: NOW_MS + 9_000 });
    expect(batch.decide(NOW_MS + 1)).toEqual({ kind: 'wait', untilMs: NOW_MS + 9_000 });
  });

  test('to end when it skips its last moves', () => {
    const batch = readBatch(2);
    for (const volume of ['v0', 'v1']) batch.skips.add(volumeIdSchema.parse(volume));
    expect(batch.decide(NOW_MS)).toEqual({ kind: 'end' });
    expect(batch.counts()).toMatchObject({ skipped: 2, waiting: 0 });
  });

  test('to go on after a canary whose moves it skips', () => {
    const batch = readBatch(2, { canary: { count: 1, approval: false } });
    batch.skips.add(volumeIdSchema.parse('v0'));
    expect(batch.decide(NOW_MS)).toMatchObject({ kind: 'start', starts: [{ workflowId: 'b/1-v1' }] });
    expect(batch.canary).toBe('passed');
  });
});

describe('a batch stops', () => {
  test('when its canary has a failure and nobody is to approve it', () => {
    const batch = readBatch(5, { canary: { count: 2, approval: false } });
    expect(batch.decide(NOW_MS)).toMatchObject({ kind: 'start', starts: [{}, {}] });
    batch.ended(0, STANDS, NOW_MS);
    expect(batch.decide(NOW_MS), 'the other still runs').toEqual({ kind: 'wait' });
    batch.ended(1, MOVED, NOW_MS);
    expect(batch.decide(NOW_MS)).toEqual({ kind: 'end' });
    expect(batch.stop).toEqual({ why: 'canary', running: 'finish', text: '1 of the first 2 moves failed.' });
  });

  test('when its window ends, and lets its moves finish', () => {
    const window = { opensAtMs: 0, closesAtMs: NOW_MS + 60_000 };
    const batch = readBatch(2, { window: DAILY, concurrency: { all: 1 } }, { window });
    expect(batch.decide(NOW_MS)).toMatchObject({ kind: 'start' });
    expect(batch.decide(NOW_MS + 59_999)).toEqual({ kind: 'wait', untilMs: NOW_MS + 60_000 });
    expect(batch.stop).toBeUndefined();
    expect(batch.decide(NOW_MS + 60_000)).toEqual({ kind: 'wait' });
    const text = 'The maintenance window ended before all moves were made.';
    expect(batch.stop).toEqual({ why: 'window', running: 'finish', text });
    batch.ended(0, MOVED, NOW_MS + 60_001);
    expect(batch.decide(NOW_MS + 60_001)).toEqual({ kind: 'end' });
  });

  test('at the failures that its policy tolerates no longer', () => {
    const batch = readBatch(9, { failures: { policy: 'stop-after', count: 2 } });
    batch.decide(NOW_MS);
    batch.ended(0, STANDS, NOW_MS);
    batch.ended(1, MOVED, NOW_MS);
    expect(batch.stop).toBeUndefined();
    batch.ended(2, STANDS, NOW_MS);
    expect(batch.stop).toEqual({
      why: 'failures',
      running: 'finish',
      text: '2 of 9 moves failed, which is the limit of the failure policy.',
    });
  });

  test('at the first failure under stop-now, and rolls back the rest', () => {
    const batch = readBatch(3, { failures: { policy: 'stop-now' } });
    batch.decide(NOW_MS);
    batch.ended(1, STANDS, NOW_MS);
    expect(batch.decide(NOW_MS)).toEqual({ kind: 'cancel', workflowIds: ['b/0-v0', 'b/2-v2'] });
    expect(batch.decide(NOW_MS)).toEqual({ kind: 'wait' });
    for (const seq of [0, 2]) batch.ended(seq, { kind: 'cancelled' }, NOW_MS);
    expect(batch.decide(NOW_MS)).toEqual({ kind: 'end' });
    expect(batch.counts()).toMatchObject({ failed: 1, cancelled: 2, waiting: 0 });
  });

  test('and lets no failed move try again', () => {
    const batch = readBatch(2, { retries: { max: 5 } });
    batch.decide(NOW_MS);
    batch.ended(0, { ...STANDS, stands: false }, NOW_MS);
    batch.end(ABORTED);
    batch.ended(1, { ...STANDS, stands: false }, NOW_MS);
    expect(batch.decide(NOW_MS)).toEqual({ kind: 'end' });
    expect(batch.counts()).toMatchObject({ failed: 2, waiting: 0 });
    batch.end({ why: 'failures', running: 'roll-back', text: 'later' });
    expect(batch.stop, 'the first reason stands').toEqual({ ...ABORTED, running: 'roll-back' });
  });
});

describe('a move that gave up before its fence', () => {
  const window = { opensAtMs: 0, closesAtMs: 100_000 };
  test.each([
    { fenceByMs: undefined, isFailure: false },
    { fenceByMs: 100_000, isFailure: false },
    { fenceByMs: 99_999, isFailure: true },
  ])('at $fenceByMs in a window to 100000 is a failure: $isFailure', ({ fenceByMs, isFailure }) => {
    const move = fenceByMs === undefined ? {} : { fenceByMs };
    const batch = readBatch(1, { window: DAILY, expectedMoveMs: 1, move, retries: { max: 3 } }, { window });
    batch.decide(NOW_MS);
    batch.ended(0, { kind: 'window-closed' }, NOW_MS);
    expect(batch.counts()).toMatchObject({ failed: Number(isFailure), waiting: Number(!isFailure) });
    const message =
      'The move raised no fence: the time given by options.move.fenceByMs is past. Its volumes stay where they were.';
    const { action } = ERRORS.WINDOW_CLOSED;
    expect(batch.failures).toEqual(
      isFailure ? [{ seq: 0, volumes: ['v0'], to: 'silver', tries: 1, code: 'WINDOW_CLOSED', message, action }] : [],
    );
  });
});

describe('people', () => {
  test('pause a batch and resume it, and change how many moves run', () => {
    const batch = readBatch(2, { concurrency: { all: 1 } });
    batch.pause('ann');
    expect([batch.isPaused, batch.decide(NOW_MS)]).toEqual([true, { kind: 'wait' }]);
    batch.resume();
    batch.limit({ all: 2 });
    expect([batch.isPaused, batch.decide(NOW_MS)]).toMatchObject([false, { kind: 'start', starts: [{}, {}] }]);
    expect(batch.progress(NOW_MS).concurrency).toEqual({ all: 2 });
  });

  test('approve a canary, whatever failed in it', () => {
    const batch = readBatch(3, { canary: { count: 1 } });
    batch.decide(NOW_MS);
    batch.ended(0, STANDS, NOW_MS);
    expect(batch.decide(NOW_MS)).toEqual({ kind: 'wait' });
    expect(batch.stage(NOW_MS)).toBe('waiting-for-approval');
    batch.approve();
    expect(batch.decide(NOW_MS)).toMatchObject({ kind: 'start', starts: [{}, {}] });
    expect([batch.canary, batch.stop]).toEqual(['passed', undefined]);
  });
});

test('a batch hands all that it knows to its next run', () => {
  const move = moveIdSchema.parse('b/0-v0@run-7');
  const batch = batchIn({ plan, runs: 4, failed: firstSeqs(1), cursor: 1 }, { canary: { count: 2 } });
  const window = { opensAtMs: 5, closesAtMs: 6 };
  batch.opened(window);
  batch.pause('ann');
  batch.end(ABORTED);
  batch.requested('ann: abort');
  batch.named(0, move);
  expect(batch.carried()).toMatchObject({
    batch: BATCH_ID,
    startedAtMs: BEGAN_MS,
    runs: 5,
    plan,
    failed: firstSeqs(1),
    pausedBy: 'ann',
    canary: 'running',
    window,
    stop: ABORTED,
    lastRequest: 'ann: abort',
  });
  const fresh = batchIn({}).carried();
  for (const unknown of ['plan', 'pausedBy', 'window', 'stop', 'lastRequest'])
    expect(fresh).not.toHaveProperty(unknown);
  expect(fresh).toMatchObject({ runs: 2, canary: 'none', cursor: 0, moved: 0 });
});
