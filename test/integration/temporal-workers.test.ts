// A move goes on when workers come and go, and when an operator resets it.
import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { MOVE_STEPS } from '../../contracts/move.js';
import { activitiesOf, eventsOf, Moves, runsOf, type MoveHandle } from './support/moves.js';
import { PATIENCE_MS } from '../support/until.js';

let moves: Moves;
afterEach(async () => moves.stop());

test('a worker that is shut down in the middle of the drain hands its step to another worker', async () => {
  moves = await Moves.start({ workers: 0 });
  const first = await moves.startWorker('first');
  let drains = 0;
  const notDrained = async (): Promise<unknown> => {
    drains += 1;
    return { drained: false, bytesLeft: 4_096, recordsMissing: 1 };
  };
  // The first worker never sees it drained: it polls until it is stopped.
  moves.live.faults.next('drain', 100_000, async (call) =>
    first.worker.getState() === 'STOPPED' ? call() : notDrained(),
  );
  const handle = await moves.move({ volume: 's0v0', to: 'g2' });
  await expect.poll(() => drains, { timeout: PATIENCE_MS }).toBeGreaterThan(2);
  await moves.startWorker('second');
  await first.stop();
  expect(await handle.result()).toMatchObject({ attempt: { n: 1 }, abortedAttempts: [] });
  const runs = await runsOf(handle);
  expect(runs.at(1)).toEqual({ identity: 'second', attempt: 2 });
  expect(await activitiesOf(handle)).toEqual(MOVE_STEPS);
  await moves.live.checkPromises();
});

test('Ctrl-C for a command of the same process stops no worker, neither one that runs nor a later one', async () => {
  moves = await Moves.start({ workers: 1 });
  const command = (): void => undefined;
  process.once('SIGINT', command);
  process.emit('SIGINT');
  await moves.startWorker('later');
  const handles = [await moves.move({ volume: 's0v0', to: 'g2' }), await moves.move({ volume: 's0v1', to: 'g3' })];
  for (const handle of handles) expect(await handle.result()).toMatchObject({ attempt: { n: 1 } });
  expect(moves.workerStates()).toEqual(['RUNNING', 'RUNNING']);
});

test('a cancelled step hears of it with its heartbeats, and ends', async () => {
  moves = await Moves.start();
  let lastDrainAtMs = 0;
  moves.live.faults.next('drain', 100_000, async () => {
    lastDrainAtMs = performance.now();
    return { drained: false, bytesLeft: 4_096, recordsMissing: 1 };
  });
  const handle = await moves.move({ volume: 's0v0', to: 'g2' });
  await expect.poll(() => lastDrainAtMs, { timeout: PATIENCE_MS }).toBeGreaterThan(0);
  await handle.cancel();
  await handle.result().catch(() => undefined);
  // The step polls several times a second for as long as it runs.
  await expect.poll(() => performance.now() - lastDrainAtMs, { timeout: PATIENCE_MS }).toBeGreaterThan(1_000);
});

describe('a finished move that is reset to one of its steps repeats nothing and reports the same', () => {
  test.each(MOVE_STEPS.map((step, at) => ({ step, at })))('reset to $step', async ({ at }) => {
    moves = await Moves.start();
    const handle = await moves.move({ volume: 's0v0', to: 'g2' });
    const report = await handle.result();
    const again = await reset(handle, at);
    // Three things differ: how long it took, the time of the cut, and what was sent again since the
    // flush. A flush that runs again knows the time only by the group's own clock, and counts from
    // then on.
    const { committedAtMs, bookmarks, move, attempt, from, to } = report;
    const volumes = report.volumes.map(({ resentBytes: _again, ...volume }) => volume);
    expect(await again.result()).toMatchObject({ volumes, committedAtMs, bookmarks, move, attempt, from, to });
    expect(await activitiesOf(again)).toEqual(MOVE_STEPS);
    expect(moves.live.epochOf('s0v0')).toBe(2);
    await moves.live.checkPromises();
  });
});

test('a move that is reset while it drains goes on as the same attempt', async () => {
  moves = await Moves.start();
  const drain = moves.live.faults.hold('drain', 'before');
  const handle = await moves.move({ volume: 's0v0', to: 'g2' });
  await drain.reached;
  const again = await reset(handle, 0);
  expect(await again.result()).toMatchObject({
    attempt: { move: `${handle.workflowId}@${handle.firstExecutionRunId}`, n: 1 },
  });
  drain.release();
  await moves.live.checkPromises();
});

/** Resets to the workflow task that scheduled the activity at this place. */
async function reset(handle: MoveHandle, at: number): Promise<MoveHandle> {
  const scheduled = (await eventsOf(handle)).flatMap((event) => event.activityTaskScheduledEventAttributes ?? []);
  const { runId } = await moves.client.workflowService.resetWorkflowExecution({
    namespace: moves.client.options.namespace,
    workflowExecution: { workflowId: handle.workflowId, runId: handle.firstExecutionRunId },
    reason: 'for this test',
    requestId: randomUUID(),
    workflowTaskFinishEventId: scheduled[at]?.workflowTaskCompletedEventId ?? null,
  });
  return moves.client.workflow.getHandle(handle.workflowId, runId) as MoveHandle;
}
