// The moves of a batch: what runs and the room it leaves, and what each start and each end does.
import { describe, expect, test } from 'vitest';
import { BATCH_FAILURES_SHOWN_MAX, type BatchItem, batchOptionsSchema } from '../../contracts/batch.js';
import { type CarriedBatch, carriedBatchSchema, type MoveEnd } from '../../contracts/batch-run.js';
import { ERRORS } from '../../contracts/errors.js';
import { moveIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { firstRunOf } from '../../workflows/batch/core/first-run.js';
import { InFlight } from '../../workflows/batch/core/in-flight.js';
import { Moves } from '../../workflows/batch/core/moves.js';
import { BATCH_ID } from '../support/batch-model.js';
import { firstSeqs, flyingOf, itemOf, type OptionsInput, planOf } from '../support/batch-state.js';

const MOVE = moveIdSchema.parse('b/0-v0@run-7');

describe('the moves that run', () => {
  const ALL_20 = { all: 20 };
  const ticket = (seq: number) => ({ seq, round: 0, starts: 1, failures: 0 });
  const start = (flights: InFlight, item: BatchItem, nowMs = 0): void =>
    flights.add(ticket(item.seq), item, { workflowId: `b/${item.seq}`, nowMs });

  test('are full at the overall limit, which may change while they run', () => {
    const flights = new InFlight({ concurrency: { all: 2 }, flying: [flyingOf(0)] });
    expect(flights.isFull).toBe(false);
    start(flights, itemOf(1));
    expect([flights.size, flights.isFull]).toEqual([2, true]);
    flights.limit({ all: 3 });
    expect([flights.limits, flights.isFull]).toEqual([{ all: 3 }, false]);
    flights.limit({ all: 1 });
    expect(flights.isFull).toBe(true);
  });

  test.each([
    { limits: {}, item: {}, hasRoom: true },
    { limits: { perSourceGroup: 1 }, item: {}, hasRoom: false },
    { limits: { perSourceGroup: 2 }, item: {}, hasRoom: true },
    { limits: { perSourceGroup: 1 }, item: { from: 'silver', to: 'gold' }, hasRoom: true },
    { limits: { perTargetGroup: 1 }, item: {}, hasRoom: false },
    { limits: { perTargetGroup: 2 }, item: {}, hasRoom: true },
    { limits: { perTargetGroup: 1 }, item: { from: 'silver', to: 'gold' }, hasRoom: true },
    { limits: { perAppliance: 1 }, item: { appliances: ['a3', 'a2'] }, hasRoom: false },
    { limits: { perAppliance: 2 }, item: { appliances: ['a3', 'a2'] }, hasRoom: true },
    { limits: { perAppliance: 1 }, item: { appliances: ['a3'] }, hasRoom: true },
    { limits: { perSourceGroup: 9, perTargetGroup: 9, perAppliance: 1 }, item: {}, hasRoom: false },
  ])('under $limits beside a move from gold to silver leave room for $item: $hasRoom', ({ limits, item, hasRoom }) => {
    const flights = new InFlight({ concurrency: { all: 20, ...limits }, flying: [] });
    expect(flights.hasRoomFor(itemOf(1, item))).toBe(true);
    start(flights, itemOf(0));
    expect(flights.hasRoomFor(itemOf(1, item))).toBe(hasRoom);
    flights.remove(0);
    expect(flights.hasRoomFor(itemOf(1, item)), 'after the end of the other').toBe(true);
  });

  test('of an earlier run take their room once their items are read, and only once', () => {
    const flights = new InFlight({ concurrency: { all: 20, perTargetGroup: 2 }, flying: [flyingOf(0), flyingOf(1)] });
    expect(flights.unread).toEqual([0, 1]);
    expect(flights.provide(itemOf(0))).toBe(true);
    expect(flights.provide(itemOf(0))).toBe(true);
    expect(flights.provide(itemOf(5)), 'it does not run').toBe(false);
    expect(flights.unread).toEqual([1]);
    expect(flights.hasRoomFor(itemOf(2))).toBe(true);
    flights.provide(itemOf(1));
    expect(flights.hasRoomFor(itemOf(2))).toBe(false);
  });

  test('are found by their volumes and by their workflows', () => {
    const flights = new InFlight({ concurrency: ALL_20, flying: [flyingOf(0)] });
    start(flights, itemOf(1, { volumes: ['vm-disk-0', 'vm-disk-1'] }));
    const isMoving = (volume: string): boolean => flights.isMoving(volumeIdSchema.parse(volume));
    expect(['vm-disk-0', 'vm-disk-1', 'v0'].map(isMoving), 'v0 is not read').toEqual([true, true, false]);
    flights.provide(itemOf(0));
    expect(isMoving('v0')).toBe(true);
    expect(flights.workflowIds).toEqual(['b/0-v0', 'b/1']);
    expect(['b/0-v0', 'b/1', 'b/2'].map((id) => flights.seqOf(id))).toEqual([0, 1, undefined]);
  });

  test('shows the five that run longest, the oldest first, of those that are read', () => {
    const flights = new InFlight({ concurrency: ALL_20, flying: [flyingOf(9)] });
    for (const [seq, sinceMs] of [6_000, 2_000, 5_000, 1_000, 4_000, 3_000].entries())
      start(flights, itemOf(seq), sinceMs);
    const shown = [3, 1, 5, 4, 2].map((seq, i) => ({ volumes: [`v${seq}`], to: 'silver', sinceMs: (i + 1) * 1_000 }));
    expect(flights.longest).toEqual(shown);
  });

  test('are asked to cancel once each, in a new run too', () => {
    const flights = new InFlight({ concurrency: ALL_20, flying: [flyingOf(0, { cancelAsked: true }), flyingOf(1)] });
    expect(flights.requestCancellation()).toEqual(['b/1-v1']);
    start(flights, itemOf(2));
    expect(flights.requestCancellation()).toEqual(['b/2']);
    const carried = flights.carried();
    expect(carried.flying.map(({ cancelAsked }) => cancelAsked)).toEqual([true, true, true]);
    expect(new InFlight(carried).requestCancellation()).toEqual([]);
  });

  test('are carried as they began, and end once', () => {
    const flying = [flyingOf(0), flyingOf(4, { round: 2, starts: 3, failures: 1, startedAtMs: 7_000 })];
    const flights = new InFlight({ concurrency: ALL_20, flying });
    expect(flights.carried()).toEqual({ concurrency: ALL_20, flying });
    flights.named(4, MOVE);
    flights.named(8, MOVE);
    expect(flights.get(8)).toBeUndefined();
    expect(flights.remove(4)).toEqual({
      ticket: { seq: 4, round: 2, starts: 3, failures: 1 },
      workflowId: 'b/4-v4',
      startedAtMs: 7_000,
      cancelAsked: false,
      move: MOVE,
    });
    expect(flights.remove(4)).toBeUndefined();
    expect([flights.size, flights.get(4)]).toEqual([1, undefined]);
  });
});

/** Moves of a plan with `planned` items, whose first run begins with the given state. */
function movesOf(planned: number, options: OptionsInput = {}, state: Partial<CarriedBatch> = {}): Moves {
  const parsed = batchOptionsSchema.parse(options);
  const carried = carriedBatchSchema.parse({ ...firstRunOf(parsed, BATCH_ID, 0), plan: planOf(planned), ...state });
  return new Moves(parsed, 'b', carried);
}

function readMoves(planned: number, options: OptionsInput = {}): Moves {
  const moves = movesOf(planned, options);
  moves.provide(Array.from({ length: planned }, (_, seq) => itemOf(seq)));
  return moves;
}

/** Workflow ids of the moves that start now; otherwise what the batch waits for. */
function startsOf(moves: Moves, nowMs = 0, startable = moves.planned): unknown {
  const next = moves.begin(nowMs, startable);
  return next.kind === 'start' ? next.starts.map(({ workflowId }) => workflowId) : next;
}

const NOTHING = { kind: 'none', untilMs: Infinity };

describe('moves start', () => {
  test('at most fifty in one decision, and the rest in the next', () => {
    const moves = readMoves(60, { concurrency: { all: 100 } });
    expect(startsOf(moves)).toHaveLength(50);
    expect(startsOf(moves)).toHaveLength(10);
    expect(startsOf(moves)).toEqual(NOTHING);
    expect(moves.counts()).toMatchObject({ running: 60, waiting: 0 });
  });

  test('as many as the overall limit lets, and below the given number only', () => {
    const moves = readMoves(5, { concurrency: { all: 3 } });
    expect(startsOf(moves, 0, 2)).toEqual(['b/0-v0', 'b/1-v1']);
    expect(startsOf(moves, 0, 2)).toEqual(NOTHING);
    expect(startsOf(moves)).toEqual(['b/2-v2']);
    expect(startsOf(moves)).toEqual(NOTHING);
    expect([moves.running, moves.waiting]).toEqual([3, 2]);
  });

  test('as soon as their items are read: those that are known first', () => {
    const moves = movesOf(4);
    expect(startsOf(moves)).toEqual({ kind: 'read', seqs: [0, 1, 2, 3] });
    moves.provide([itemOf(0), itemOf(1)]);
    expect(startsOf(moves)).toEqual(['b/0-v0', 'b/1-v1']);
    expect(startsOf(moves)).toEqual({ kind: 'read', seqs: [2, 3] });
  });

  test('no faster than the rate, and the batch knows when the next may', () => {
    const moves = readMoves(3, { startsPerSecond: 2 });
    expect(startsOf(moves, 10_000)).toEqual(['b/0-v0', 'b/1-v1']);
    expect(startsOf(moves, 10_999)).toEqual({ kind: 'none', untilMs: 11_000 });
    expect(startsOf(moves, 11_000)).toEqual(['b/2-v2']);
  });

  test('past one that a limit holds back, which follows as soon as there is room', () => {
    const moves = movesOf(3, { concurrency: { all: 9, perTargetGroup: 1 } });
    moves.provide([itemOf(0), itemOf(1), itemOf(2, { to: 'bronze' })]);
    expect(startsOf(moves)).toEqual(['b/0-v0', 'b/2-v2']);
    expect(moves.isOver(1)).toBe(false);
    moves.ended(0, { kind: 'cancelled' }, { nowMs: 1, mayRetry: true });
    expect(startsOf(moves, 1)).toEqual(['b/1-v1']);
  });

  test('but for those to skip, which count as skipped when their turn comes', () => {
    const moves = readMoves(3);
    for (const volume of ['v0', 'v2']) moves.skips.add(volumeIdSchema.parse(volume));
    expect(moves.counts()).toMatchObject({ skipped: 0, waiting: 3 });
    expect(startsOf(moves)).toEqual(['b/1-v1']);
    expect(moves.counts()).toMatchObject({ skipped: 2, running: 1, waiting: 0 });
    expect([0, 1, 2].map((seq) => moves.isOver(seq))).toEqual([true, false, true]);
  });
});

describe('a move that ends', () => {
  const AT_5 = { nowMs: 5_000, mayRetry: true };
  const FAILED: MoveEnd = { kind: 'failed', code: 'GROUP_FULL', message: 'no room', stands: false };
  const STANDS: MoveEnd = { ...FAILED, stands: true };

  test.each<{ end: MoveEnd | undefined; options?: OptionsInput; counts: object; hasFailed: boolean; again?: string }>([
    { end: { kind: 'moved', tookMs: 5 }, counts: { moved: 1, waiting: 0 }, hasFailed: false },
    { end: { kind: 'there' }, counts: { alreadyThere: 1, waiting: 0, moved: 0 }, hasFailed: false },
    { end: { kind: 'cancelled' }, counts: { cancelled: 1, waiting: 0 }, hasFailed: false },
    { end: { kind: 'window-closed' }, counts: { waiting: 1, failed: 0 }, hasFailed: false, again: 'b/0-v0-try-2' },
    { end: undefined, counts: { waiting: 1, failed: 0 }, hasFailed: false, again: 'b/0-v0-try-2' },
    { end: FAILED, counts: { failed: 1, waiting: 0 }, hasFailed: true },
    { end: STANDS, options: { retries: { max: 3 } }, counts: { failed: 1, waiting: 0 }, hasFailed: true },
    { end: FAILED, options: { retries: { max: 3 } }, counts: { failed: 0, waiting: 1 }, hasFailed: false },
  ])('as $end counts as $counts', ({ end, options, counts, hasFailed, again }) => {
    const moves = readMoves(1, options);
    startsOf(moves);
    expect(moves.ended(0, end, AT_5)).toBe(hasFailed);
    expect(moves.counts()).toMatchObject({ running: 0, ...counts });
    if (again !== undefined) expect(startsOf(moves)).toEqual([again]);
    const before = moves.counts();
    if (again === undefined) expect(moves.ended(0, STANDS, AT_5), 'a second report of its end').toBe(false);
    if (again === undefined) expect(moves.counts()).toEqual(before);
  });

  test('counts for the pace and for what the next is expected to last, unless it never ran', () => {
    const moves = readMoves(3, { expectedMoveMs: 10 });
    startsOf(moves);
    moves.ended(0, undefined, AT_5);
    expect(moves.perMinute(5_000, 0)).toBe(0);
    moves.ended(1, { kind: 'cancelled' }, AT_5);
    expect(moves.perMinute(60_000, 0)).toBe(1);
    expect(moves.expectedMs).toBe(10);
    moves.ended(2, { kind: 'moved', tookMs: 19 }, AT_5);
    expect(moves.perMinute(60_000, 0)).toBe(2);
    expect(moves.expectedMs).toBe(19);
  });

  test('failed is shown with its last try, its message of at most 300 characters, and what to do', () => {
    const moves = readMoves(1, { retries: { max: 1, backoffMs: 1_000 } });
    startsOf(moves);
    moves.ended(0, { ...FAILED, message: 'first' }, AT_5);
    expect(moves.begin(5_999, 1)).toEqual({ kind: 'none', untilMs: 6_000 });
    expect(startsOf(moves, 6_000)).toEqual(['b/0-v0-try-2']);
    moves.named(0, MOVE);
    expect(moves.ended(0, { ...FAILED, message: 'x'.repeat(301) }, AT_5)).toBe(true);
    expect(moves.failures).toEqual([
      {
        seq: 0,
        volumes: ['v0'],
        to: 'silver',
        move: MOVE,
        tries: 2,
        code: 'GROUP_FULL',
        message: 'x'.repeat(300),
        action: ERRORS.GROUP_FULL.action,
      },
    ]);
  });

  test('failed without a code is shown without one, and without a move id that is not known', () => {
    const moves = readMoves(1);
    startsOf(moves);
    moves.ended(0, { kind: 'failed', message: 'gone', stands: false }, AT_5);
    expect(moves.failures).toEqual([{ seq: 0, volumes: ['v0'], to: 'silver', tries: 1, message: 'gone' }]);
  });

  test('failed in a batch that stops gets no other try', () => {
    const moves = readMoves(2, { retries: { max: 3, backoffMs: 1_000 } });
    startsOf(moves);
    moves.ended(0, FAILED, AT_5);
    expect(moves.ended(1, FAILED, { nowMs: 5_000, mayRetry: false })).toBe(true);
    expect(moves.counts()).toMatchObject({ failed: 1, waiting: 1 });
    moves.failRetries();
    expect(moves.counts()).toMatchObject({ failed: 2, waiting: 0 });
    expect(moves.failures.map(({ seq, tries, message }) => [seq, tries, message])).toEqual([
      [1, 1, 'no room'],
      [0, 1, 'no room'],
    ]);
  });

  test('failed after a hundred others counts and is not shown', () => {
    const moves = readMoves(BATCH_FAILURES_SHOWN_MAX + 1, { concurrency: { all: 500 } });
    for (let i = 0; i < 3; i += 1) startsOf(moves);
    for (let seq = 0; seq <= BATCH_FAILURES_SHOWN_MAX; seq += 1) moves.ended(seq, STANDS, AT_5);
    expect(moves.failed).toBe(BATCH_FAILURES_SHOWN_MAX + 1);
    expect(moves.failures).toHaveLength(BATCH_FAILURES_SHOWN_MAX);
    expect(moves.failures.at(-1)?.seq).toBe(BATCH_FAILURES_SHOWN_MAX - 1);
  });

  test('failed gets another turn on request, as a new move of the next round', () => {
    const moves = readMoves(2);
    startsOf(moves);
    moves.ended(0, { kind: 'moved', tookMs: 1 }, AT_5);
    moves.ended(1, STANDS, AT_5);
    expect([moves.isDone(2), moves.isOver(1)]).toEqual([true, true]);
    expect(moves.retryFailed()).toBe(1);
    expect([moves.isDone(2), moves.isOver(1), moves.isOver(0)]).toEqual([false, false, true]);
    expect([moves.failed, moves.failures, moves.waiting]).toEqual([0, [], 1]);
    expect(startsOf(moves)).toEqual({ kind: 'read', seqs: [1] });
    moves.provide([itemOf(1)]);
    expect(startsOf(moves)).toEqual(['b/1-v1-again-1']);
    expect(moves.isDone(2), 'it runs').toBe(false);
    expect(moves.retryFailed()).toBe(0);
  });
});

test('a new run reads what runs and what awaits a try before anything starts', () => {
  const retry = { seq: 2, round: 0, starts: 1, failures: 1, dueAtMs: 9_000, last: { message: 'no' } };
  const moves = movesOf(5, { retries: { max: 1 } }, { cursor: 3, flying: [flyingOf(1)], retries: [retry] });
  expect(moves.unread).toEqual([1, 2]);
  moves.provide([itemOf(1), itemOf(2)]);
  expect(moves.unread).toEqual([]);
  expect(moves.inFlight.longest).toMatchObject([{ volumes: ['v1'] }]);
});

test('what is carried is what was: a new run from it carries the same', () => {
  const state: Partial<CarriedBatch> = {
    cursor: 6,
    round: 1,
    moved: 1,
    there: 1,
    cancelled: 0,
    skipped: 1,
    failed: firstSeqs(1),
    again: [[0, 0b10]],
    passed: [{ seq: 5, round: 0, starts: 1, failures: 0 }],
    flying: [flyingOf(4)],
    skips: [volumeIdSchema.parse('v9')],
    durations: [[3, 2]],
    starts: [4_000],
    ends: [[0, 2]],
  };
  const carried = movesOf(8, { startsPerSecond: 1 }, state).carried();
  expect(carried).toMatchObject({ plan: planOf(8), concurrency: { all: 20 }, retries: [], failures: [], ...state });
});
