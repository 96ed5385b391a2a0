// Each option of a batch does what it says, on the real Temporal server.
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BatchInput, BatchReport } from '../../contracts/batch.js';
import { MoverError } from '../../contracts/errors.js';
import type { StoredMoveReport } from '../../contracts/report.js';
import {
  ask,
  type BatchHandle,
  batchIdOf,
  failureOf,
  moveReportsOf,
  progressOf,
  refusalOf,
  reportIn,
  startBatch,
  storedReportOf,
  untilBatch,
  untilCounts,
} from './support/batches.js';
import { eventsOf, Moves, type MoveHandle } from './support/moves.js';

let moves: Moves;
beforeAll(async () => {
  moves = await Moves.start({
    volumesPerSplitter: 6,
    described: (volume) => ({ labels: { turn: String(9 - Number(volume.at(-1))) } }),
  });
});
afterEach(async () => moves.live.checkPromises().finally(() => (moves.live.world.guestRuns = true)));
afterAll(async () => moves.stop());

const THREE = ['s0v0', 's0v1', 's0v2'];
const corrupt = new MoverError('CORRUPT', 'A checksum is wrong.');

/** Where a volume is not: g1 and g3 are one appliance's, g2 another's. */
function elsewhere(volume: string): string {
  return moves.live.groupOf(volume) === 'g1' ? 'g2' : 'g1';
}

function listed(volumes: readonly string[], to?: string): NonNullable<BatchInput['moves']> {
  return volumes.map((volume) => ({ volume, to: to ?? elsewhere(volume) }));
}

async function run(input: BatchInput): Promise<{ handle: BatchHandle; report: BatchReport }> {
  const handle = await startBatch(moves, input);
  return { handle, report: await handle.result() };
}

/** How many of them ran at once, at the most. */
function mostAtOnce(reports: readonly StoredMoveReport[]): number {
  return Math.max(
    ...reports.map(
      ({ startedAtMs: atMs }) => reports.filter((other) => other.startedAtMs <= atMs && atMs < other.endedAtMs).length,
    ),
  );
}

describe('moves at once', () => {
  test.each([
    { limits: { all: 3 }, most: 3 },
    { limits: { all: 1 }, most: 1 },
    { limits: { all: 3, perSourceGroup: 1 }, most: 1 },
    { limits: { all: 3, perTargetGroup: 1 }, most: 1 },
    { limits: { all: 3, perAppliance: 1 }, most: 1 },
  ])('$limits: $most', async ({ limits, most }) => {
    // A move that is held up until all that may run do run.
    const hold = moves.live.faults.hold('notify', 'before');
    const handle = await startBatch(moves, { moves: listed(THREE), options: { concurrency: limits } });
    await hold.reached;
    const { counts } = await untilCounts(handle, ({ running }) => running === most);
    hold.release();
    await handle.result();
    expect(counts.running).toBe(most);
    expect(mostAtOnce(await moveReportsOf(moves, handle))).toBeLessThanOrEqual(most);
  });
});

test('no more moves start in a second than asked for', async () => {
  const { handle } = await run({ moves: listed(THREE), options: { startsPerSecond: 2 } });
  const events = await eventsOf(handle as unknown as MoveHandle);
  const startsMs = events
    .filter((event) => event.startChildWorkflowExecutionInitiatedEventAttributes)
    .map(({ eventTime }) => Number(eventTime?.seconds ?? 0) * 1_000 + (eventTime?.nanos ?? 0) / 1e6);
  expect(startsMs).toHaveLength(3);
  // The server stamps them when it has them.
  expect((startsMs[2] ?? 0) - (startsMs[0] ?? 0)).toBeGreaterThan(900);
});

test('moves go in the order of a label', async () => {
  const { handle } = await run({
    moves: listed(THREE),
    options: { order: { byLabel: 'turn' }, concurrency: { all: 1 } },
  });
  const reports = await moveReportsOf(moves, handle);
  expect(reports.map(({ volumes }) => volumes[0])).toEqual(THREE.toReversed());
});

describe('failures', () => {
  test('by default a batch goes on and lists them', async () => {
    const before = moves.live.groupOf('s0v0');
    moves.live.faults.fail('seal', corrupt, 1);
    const { report } = await run({ moves: listed(THREE), options: { concurrency: { all: 1 } } });
    expect(report).toMatchObject({ outcome: 'complete', counts: { moved: 2, failed: 1 } });
    expect(report.failures).toMatchObject([{ seq: 0, volumes: ['s0v0'], tries: 1, code: 'CORRUPT' }]);
    expect(report.failures[0]?.move).toMatch(/\/0-s0v0@/);
    expect(moves.live.groupOf('s0v0')).toBe(before);
  });

  test('stop-after ends it once so many have failed, and its schedule can see that', async () => {
    moves.live.faults.fail('seal', corrupt, 2);
    const handle = await startBatch(moves, {
      moves: listed(['s0v0', 's0v1', 's0v2', 's0v3']),
      options: { concurrency: { all: 1 }, failures: { policy: 'stop-after', percent: 50 } },
    });
    const failure = await failureOf(handle);
    expect(failure).toMatchObject({ type: 'BATCH_STOPPED', nonRetryable: true });
    const report = reportIn(failure);
    expect(report).toMatchObject({ outcome: 'stopped', counts: { moved: 0, failed: 2, waiting: 2 } });
    expect(report.summary).toContain('2 of 4 moves failed');
    expect(await storedReportOf(moves, handle)).toEqual(report);
  });

  test('stop-now puts the running ones back', async () => {
    const hold = moves.live.faults.hold('drain', 'before');
    const handle = await startBatch(moves, {
      moves: listed(['s0v0', 's0v1']),
      options: { failures: { policy: 'stop-now' } },
    });
    const before = ['s0v0', 's0v1'].map((volume) => moves.live.groupOf(volume));
    await hold.reached;
    moves.live.faults.fail('seal', corrupt, 1);
    const report = reportIn(await failureOf(handle));
    hold.release();
    expect(report.counts).toMatchObject({ moved: 0, failed: 1, cancelled: 1 });
    expect(['s0v0', 's0v1'].map((volume) => moves.live.groupOf(volume))).toEqual(before);
  });

  test('a failed move is tried again after a pause, as a move of its own', async () => {
    moves.live.faults.fail('seal', corrupt, 2);
    const { handle, report } = await run({
      moves: listed(['s0v0']),
      options: { retries: { max: 2, backoffMs: 100 } },
    });
    expect(report.counts).toMatchObject({ moved: 1, failed: 0 });
    const tries = await moveReportsOf(moves, handle);
    expect(tries.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'moved']);
    expect(tries.map(({ move }) => move.split('@')[0])).toEqual(
      ['', '-try-2', '-try-3'].map((suffix) => `${handle.workflowId}/0-s0v0${suffix}`),
    );
    expect((tries[2]?.startedAtMs ?? 0) - (tries[1]?.endedAtMs ?? 0)).toBeGreaterThan(150);
  });

  test('the failed moves of an earlier batch can be a batch', async () => {
    moves.live.faults.fail('seal', corrupt, 1);
    const { handle } = await run({ moves: listed(THREE), options: { concurrency: { all: 1 } } });
    const target = elsewhere('s0v0');
    const { report } = await run({ failedOf: batchIdOf(handle) });
    expect(report.counts).toMatchObject({ planned: 1, moved: 1 });
    expect(moves.live.groupOf('s0v0')).toBe(target);
  });
});

describe('a canary', () => {
  const options = { canary: { count: 1 }, concurrency: { all: 3 } };

  test('goes first, and the others wait until somebody approves', async () => {
    const handle = await startBatch(moves, { moves: listed(THREE), options });
    expect(await untilBatch(handle, 'the wait', ({ stage }) => stage === 'waiting-for-approval')).toMatchObject({
      counts: { moved: 1, running: 0, waiting: 2 },
    });
    expect(await ask(handle, 'approveCanary')).toBe('Approved: 2 moves wait for their turn.');
    expect((await handle.result()).counts).toMatchObject({ moved: 3 });
  });

  test('that fails stops a batch that nobody is to approve', async () => {
    moves.live.faults.fail('seal', corrupt, 1);
    const handle = await startBatch(moves, {
      moves: listed(THREE),
      options: { ...options, canary: { count: 1, approval: false } },
    });
    const report = reportIn(await failureOf(handle));
    expect(report).toMatchObject({ outcome: 'stopped', counts: { failed: 1, waiting: 2 } });
    expect(report.summary).toContain('1 of the first 1 moves failed.');
  });

  test('that succeeds lets a batch go on by itself when nobody is to approve', async () => {
    const { report } = await run({
      moves: listed(THREE),
      options: { ...options, canary: { count: 1, approval: false } },
    });
    expect(report.counts).toMatchObject({ moved: 3 });
  });
});

describe('a maintenance window', () => {
  const clock = (atMs: number): string => new Date(atMs).toISOString().slice(11, 16);
  const windowOf = (fromMs: number, toMs: number) => ({ timeZone: 'UTC', start: clock(fromMs), end: clock(toMs) });
  const HOUR_MS = 3_600_000;

  test('that is open lets moves run, and tells them by when they must have raised their fence', async () => {
    const window = windowOf(Date.now() - HOUR_MS, Date.now() + HOUR_MS);
    const hold = moves.live.faults.hold('open', 'before');
    const handle = await startBatch(moves, { moves: listed(['s0v0']), options: { window } });
    await hold.reached;
    const { window: open, longest } = await progressOf(handle);
    hold.release();
    expect(longest).toMatchObject([{ volumes: ['s0v0'] }]);
    await handle.result();
    const [initiated] = (await eventsOf(handle as unknown as MoveHandle)).flatMap(
      ({ startChildWorkflowExecutionInitiatedEventAttributes: started }) => started ?? [],
    );
    const input: unknown = JSON.parse(Buffer.from(initiated?.input?.payloads?.[0]?.data ?? []).toString());
    expect(input).toMatchObject({ options: { fenceByMs: open?.closesAtMs } });
    expect(initiated?.priority).toMatchObject({ priorityKey: 5, fairnessKey: handle.firstExecutionRunId });
    expect(clock(open?.closesAtMs ?? 0)).toBe(window.end);
  });

  test('that is closed is waited for', async () => {
    const handle = await startBatch(moves, {
      moves: listed(['s0v0']),
      options: { window: windowOf(Date.now() + HOUR_MS, Date.now() + 2 * HOUR_MS) },
    });
    await untilBatch(handle, 'the wait', ({ stage }) => stage === 'waiting-for-window');
    await ask(handle, 'abort');
    expect(await handle.result()).toMatchObject({ outcome: 'incomplete', counts: { waiting: 1, moved: 0 } });
  });

  test.each(['finish', 'wait'] as const)(
    'too short for one more move begins none (at its end: %s)',
    async (atWindowEnd) => {
      const window = windowOf(Date.now() - 2 * HOUR_MS, Date.now() + HOUR_MS);
      const handle = await startBatch(moves, {
        moves: listed(['s0v0']),
        options: { window, atWindowEnd, expectedMoveMs: 2 * HOUR_MS },
      });
      if (atWindowEnd === 'wait') {
        await untilBatch(handle, 'the plan', ({ counts }) => counts.planned === 1);
        await ask(handle, 'abort');
      }
      expect(await handle.result()).toMatchObject({ outcome: 'incomplete', counts: { waiting: 1, moved: 0 } });
    },
  );

  test.each([
    { what: 'an unknown time zone', window: { timeZone: 'Europe/Atlantis' }, says: 'options.window.timeZone' },
    { what: 'less time than one move takes', expectedMoveMs: 2 * HOUR_MS, says: 'options.expectedMoveMs' },
  ])('with $what is refused', async ({ window, says, expectedMoveMs = 1 }) => {
    const handle = await startBatch(moves, {
      moves: listed(['s0v0']),
      options: { window: { ...windowOf(0, HOUR_MS), ...window }, expectedMoveMs },
    });
    const failure = await failureOf(handle);
    expect(failure).toMatchObject({ type: 'INVALID_REQUEST' });
    expect(failure.message).toContain(says);
    expect(await storedReportOf(moves, handle)).toMatchObject({ outcome: 'failed' });
  });
});

test('a scheduled batch that begins too late is skipped', async () => {
  const scheduleId = `late-${randomUUID()}`;
  const schedule = await moves.client.schedule.create({
    scheduleId,
    spec: { intervals: [{ every: '1h' }] },
    state: { paused: true },
    action: {
      type: 'startWorkflow',
      workflowType: 'moveBatch',
      taskQueue: moves.taskQueue,
      args: [{ moves: listed(THREE), options: { startWithinMs: 60_000 } } satisfies BatchInput],
    },
  });
  try {
    const now = Date.now();
    await schedule.backfill({ start: new Date(now - 4_000_000), end: new Date(now - 300_000), overlap: 'ALLOW_ALL' });
    const started = await expect
      .poll(async () => (await schedule.describe()).info.recentActions[0]?.action, { timeout: 20_000 })
      .toBeDefined()
      .then(async () => (await schedule.describe()).info.recentActions[0]?.action);
    const report: unknown = await moves.client.workflow.getHandle(started?.workflow.workflowId ?? '').result();
    expect(report).toMatchObject({ outcome: 'skipped-late', counts: { planned: 0 } });
  } finally {
    await schedule.delete();
  }
});

test('a dry run plans every move, changes nothing, and reports', async () => {
  const there = moves.live.groupOf('s0v5');
  const before = THREE.map((volume) => moves.live.epochOf(volume));
  const hold = moves.live.faults.hold('open', 'after');
  const busy = await moves.move({ volume: 's0v2', to: elsewhere('s0v2') });
  await hold.reached;
  const { handle, report } = await run({
    moves: [...listed(THREE), { volume: 's0v5', to: there }, { volume: 'no-such', to: 'g1' }],
    dryRun: true,
  });
  hold.release();
  await busy.result();
  expect(report).toMatchObject({
    outcome: 'dry-run',
    counts: { planned: 3, waiting: 2, failed: 1, alreadyThere: 1, refused: 1, moved: 0 },
    failures: [{ volumes: ['s0v2'], code: 'VOLUME_BUSY' }],
    leftOut: [{ volumes: ['no-such'], code: 'VOLUME_NOT_FOUND' }],
  });
  expect(await storedReportOf(moves, handle)).toEqual(report);
  expect(THREE.slice(0, 2).map((volume) => moves.live.epochOf(volume))).toEqual(before.slice(0, 2));
});

test('what is there already is skipped, when planned and when its turn comes', async () => {
  const [first, second] = listed(['s0v0', 's0v1']);
  if (first === undefined || second === undefined) throw new Error('two are listed');
  const hold = moves.live.faults.hold('open', 'before');
  const handle = await startBatch(moves, {
    moves: [first, second, { volume: 's0v2', to: moves.live.groupOf('s0v2') }],
    options: { concurrency: { all: 1 } },
  });
  await hold.reached;
  await (await moves.move({ volume: 's0v1', to: second.to })).result();
  hold.release();
  expect((await handle.result()).counts).toMatchObject({ planned: 2, moved: 1, alreadyThere: 2 });
});

test('volumes that come into the selection meanwhile are reported', async () => {
  const from = moves.live.groupOf('s0v0');
  const added = moves.live.world.volumes.find((volume) => moves.live.groupOf(volume) !== from);
  if (added === undefined) throw new Error('all volumes are in one group');
  const hold = moves.live.faults.hold('open', 'before');
  const handle = await startBatch(moves, { select: { from, name: 's0v*' }, to: 'g3' });
  await hold.reached;
  await (await moves.move({ volume: added, to: from })).result();
  hold.release();
  expect(await handle.result()).toMatchObject({ outcome: 'complete', addedMeanwhile: [added], removedMeanwhile: [] });
});

test('a batch that is to verify says so to its moves', async () => {
  const hold = moves.live.faults.hold('open', 'before');
  const handle = await startBatch(moves, { moves: listed(['s0v0']), options: { verify: true } });
  await hold.reached;
  const child: unknown = await moves.client.workflow
    .getHandle(`${handle.workflowId}/0-s0v0`)
    .fetchHistory()
    .then((history) => history.events?.[0]);
  const started = child as {
    workflowExecutionStartedEventAttributes?: { input?: { payloads?: { data?: Uint8Array }[] } };
  };
  const data = started.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]?.data ?? [];
  expect(JSON.parse(Buffer.from(data).toString())).toMatchObject({ verify: true });
  await ask(handle, 'abort', { running: 'roll-back' });
  expect(await handle.result()).toMatchObject({ outcome: 'incomplete', counts: { cancelled: 1 } });
  hold.release();
});

describe('an input that is not accepted says what is', () => {
  test.each([
    {
      what: 'too many moves',
      input: { moves: Array.from({ length: 2_001 }, (_, i) => ({ volume: `v${i}`, to: 'g' })) },
      says: 'at most 2000 moves; name more by "select"',
    },
    {
      what: 'too many bytes',
      input: {
        moves: Array.from({ length: 1_999 }, (_, i) => ({ volume: `v${i}`.padEnd(64, 'x'), to: 'g'.repeat(64) })),
      },
      says: 'Name the volumes by "select"',
    },
    { what: 'no volumes', input: {}, says: 'give exactly one of "moves", "select" and "failedOf"' },
    { what: 'a selector of nothing', input: { select: {}, to: 'g1' }, says: 'name at least one of "from"' },
    {
      what: 'a selector without a target',
      input: { select: { from: 'g1' } },
      says: 'give exactly one of "to" and "map"',
    },
    {
      what: 'a group that is not there',
      input: { select: { from: 'g1' }, to: 'g9' },
      says: 'no consistency group "g9"',
    },
    { what: 'an unknown batch', input: { failedOf: 'b@1' }, says: 'knows nothing of batch "b@1"' },
  ])('$what', async ({ input, says }) => {
    const failure = await failureOf(await startBatch(moves, input));
    expect(failure.message).toContain(says);
  });
});

describe('updates', () => {
  test('steer a batch, and what can not be done is refused in a sentence', async () => {
    const hold = moves.live.faults.hold('open', 'before');
    const handle = await startBatch(moves, {
      moves: listed(['s0v0', 's0v1', 's0v2', 's0v3']),
      options: { concurrency: { all: 1 } },
    });
    await hold.reached;
    expect(await refusalOf(ask(handle, 'resume'))).toBe('The batch is not paused; there is nothing to resume.');
    expect(await refusalOf(ask(handle, 'retryFailed'))).toContain('No move of the batch has failed');
    expect(await refusalOf(ask(handle, 'approveCanary'))).toContain('The batch has no canary');
    expect(await refusalOf(ask(handle, 'skipVolume', { volume: 's0v0' }))).toContain('is being moved now');
    expect(await refusalOf(ask(handle, 'skipVolume', { volume: 's0v5' }))).toContain('has no move of volume "s0v5"');
    expect(await refusalOf(ask(handle, 'pause', { operator: '' }))).toContain('operator');
    expect(await refusalOf(ask(handle, 'setConcurrency', { concurrency: { all: 0 } }))).toContain('concurrency.all');
    expect(await ask(handle, 'pause')).toBe('Paused: 1 moves run and finish, 3 wait.');
    expect(await refusalOf(ask(handle, 'pause'))).toBe('The batch is paused already.');
    expect(await ask(handle, 'skipVolume', { volume: 's0v2' })).toContain('will be left out');
    hold.release();
    await untilCounts(handle, ({ moved, running }) => moved === 1 && running === 0);
    expect(await progressOf(handle)).toMatchObject({ stage: 'paused', lastRequest: 'skipVolume by ann: a test' });
    expect(await refusalOf(ask(handle, 'skipVolume', { volume: 's0v0' }))).toContain('is over');
    const second = moves.live.faults.hold('open', 'before');
    await ask(handle, 'setConcurrency', { concurrency: { all: 2 } });
    await ask(handle, 'resume');
    await second.reached;
    await untilCounts(handle, ({ running }) => running === 2);
    second.release();
    expect((await handle.result()).counts).toMatchObject({ moved: 3, skipped: 1 });
  });

  test('failed moves get another turn, and an abort rolls running ones back', async () => {
    moves.live.faults.fail('seal', corrupt, 1);
    const hold = moves.live.faults.hold('bookmark', 'before');
    const handle = await startBatch(moves, {
      moves: listed(['s0v0', 's0v1', 's0v2']),
      options: { concurrency: { all: 1 } },
    });
    await hold.reached;
    expect((await progressOf(handle)).failures).toMatchObject([{ volumes: ['s0v0'], code: 'CORRUPT' }]);
    expect(await ask(handle, 'retryFailed')).toBe('1 failed moves get another turn.');
    expect((await progressOf(handle)).counts).toMatchObject({ failed: 0, waiting: 2, running: 1 });
    hold.release();
    const last = moves.live.faults.hold('bookmark', 'before');
    await last.reached;
    const { longest } = await progressOf(handle);
    expect(longest).toMatchObject([{ volumes: ['s0v0'] }]);
    expect(await ask(handle, 'abort', { running: 'roll-back' })).toBe(
      'Aborting: 1 running moves roll back unless they are committed.',
    );
    expect(await handle.result()).toMatchObject({
      outcome: 'incomplete',
      counts: { moved: 1, cancelled: 1, waiting: 1 },
    });
    last.release();
  });
});
