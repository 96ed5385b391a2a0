// When the moves of a batch may run, on the real Temporal server.
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BatchInput } from '../../contracts/batch.js';
import { startsIn } from './support/batch-history.js';
import { BatchTestbed, clock, HOUR_MS, THREE, windowOf } from './support/batch-testbed.js';
import { ask, failureOf, progressOf, startBatch, storedReportOf, untilBatch } from './support/batches.js';
import { eventsOf } from './support/moves.js';
import { PATIENCE_MS } from '../support/until.js';

let testbed: BatchTestbed;
beforeAll(async () => {
  testbed = await BatchTestbed.start();
});
afterEach(async () => testbed.checkPromises());
afterAll(async () => testbed.stop());

describe('a maintenance window', () => {
  test('that is open lets moves run, and tells them by when they must have raised their fence', async () => {
    const window = windowOf(Date.now() - HOUR_MS, Date.now() + HOUR_MS);
    const hold = testbed.moves.live.faults.hold('open', 'before');
    const handle = await startBatch(testbed.moves, { moves: testbed.listed(['s0v0']), options: { window } });
    await hold.reached;
    const { window: open, longest } = await progressOf(handle);
    hold.release();
    expect(longest).toMatchObject([{ volumes: ['s0v0'] }]);
    await handle.result();
    const [started] = startsIn(await eventsOf(handle));
    expect(started?.input).toMatchObject({ options: { fenceByMs: open?.closesAtMs } });
    expect(started?.start.priority).toMatchObject({ priorityKey: 5, fairnessKey: handle.firstExecutionRunId });
    expect(clock(open?.closesAtMs ?? 0)).toBe(window.end);
  });

  test('that is closed is waited for', async () => {
    const handle = await startBatch(testbed.moves, {
      moves: testbed.listed(['s0v0']),
      options: { window: windowOf(Date.now() + HOUR_MS, Date.now() + 2 * HOUR_MS) },
    });
    await untilBatch(handle, 'the wait', ({ stage }) => stage === 'waiting-for-window');
    await ask(handle, 'abort');
    expect(await handle.result()).toMatchObject({ outcome: 'incomplete', counts: { waiting: 1, moved: 0 } });
  });

  test('is read on the clocks of its time zone', async () => {
    // Fourteen hours ahead of UTC all the year.
    const thereMs = Date.now() + 14 * HOUR_MS;
    const { start, end } = windowOf(thereMs - HOUR_MS, thereMs + HOUR_MS);
    const batches = await Promise.all(
      ['Pacific/Kiritimati', 'UTC'].map(async (timeZone, i) =>
        startBatch(testbed.moves, {
          moves: testbed.listed([`s0v${i}`]),
          options: { window: { timeZone, start, end } },
        }),
      ),
    );
    const [there, here] = batches;
    if (there === undefined || here === undefined) throw new Error('two were started');
    expect((await there.result()).counts).toMatchObject({ moved: 1 });
    await untilBatch(here, 'the wait', ({ stage }) => stage === 'waiting-for-window');
    await ask(here, 'abort');
    expect((await here.result()).counts).toMatchObject({ moved: 0, waiting: 1 });
  });

  test.each(['finish', 'wait'] as const)(
    'too short for one more move begins none (at its end: %s)',
    async (atWindowEnd) => {
      const window = windowOf(Date.now() - 2 * HOUR_MS, Date.now() + HOUR_MS);
      const handle = await startBatch(testbed.moves, {
        moves: testbed.listed(['s0v0']),
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
    const handle = await startBatch(testbed.moves, {
      moves: testbed.listed(['s0v0']),
      options: { window: { ...windowOf(0, HOUR_MS), ...window }, expectedMoveMs },
    });
    const failure = await failureOf(handle);
    expect(failure).toMatchObject({ type: 'INVALID_REQUEST' });
    expect(failure.message).toContain(says);
    expect(await storedReportOf(testbed.moves, handle)).toMatchObject({ outcome: 'failed' });
  });
});

test('a scheduled batch that begins too late is skipped', async () => {
  const scheduleId = `late-${randomUUID()}`;
  const schedule = await testbed.moves.client.schedule.create({
    scheduleId,
    spec: { intervals: [{ every: '1h' }] },
    state: { paused: true },
    action: {
      type: 'startWorkflow',
      workflowType: 'moveBatch',
      taskQueue: testbed.moves.taskQueue,
      args: [{ moves: testbed.listed(THREE), options: { startWithinMs: 60_000 } } satisfies BatchInput],
    },
  });
  try {
    // Longer than the interval, so that at least one run is due, and over for five minutes.
    const now = Date.now();
    await schedule.backfill({ start: new Date(now - 4_000_000), end: new Date(now - 300_000), overlap: 'ALLOW_ALL' });
    const started = await expect
      .poll(async () => (await schedule.describe()).info.recentActions[0]?.action, { timeout: PATIENCE_MS })
      .toBeDefined()
      .then(async () => (await schedule.describe()).info.recentActions[0]?.action);
    const report: unknown = await testbed.moves.client.workflow.getHandle(started?.workflow.workflowId ?? '').result();
    expect(report).toMatchObject({ outcome: 'skipped-late', counts: { planned: 0 } });
  } finally {
    await schedule.delete();
  }
});
