// Two moves of one volume on the real Temporal server: the second is refused, or queues.
import { CancelledFailure, WorkflowFailedError } from '@temporalio/client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MoveInput, MoveProgress } from '../../contracts/move.js';
import { COSTLY_POLL_INTERVAL_MS, PATIENCE_MS, until } from '../support/until.js';
import { startBatch } from './support/batches.js';
import { activitiesOf, failedTasksOf, failureOf, type MoveHandle, Moves } from './support/moves.js';

let moves: Moves;
let first: MoveHandle;
/** Lets the first move go on. Until then it holds the volume, in its old group. */
let release: () => void;

beforeEach(async () => {
  moves = await Moves.start();
  const hold = moves.live.faults.hold('open', 'after');
  first = await moves.move({ volume: 's0v0', to: 'g2' });
  ({ release } = hold);
  await hold.reached;
});
afterEach(async () => {
  release();
  await moves.stop();
});

async function queued(input: MoveInput): Promise<{ handle: MoveHandle; progress: MoveProgress }> {
  const handle = await moves.move(input);
  const look = async (): Promise<MoveProgress | undefined> => {
    const progress = await handle.query<MoveProgress>('progress');
    return progress.stage === 'queued' ? progress : undefined;
  };
  return { handle, progress: await until('a move that queues', PATIENCE_MS, look, COSTLY_POLL_INTERVAL_MS) };
}

async function idOf(handle: MoveHandle): Promise<string> {
  return (await handle.query<MoveProgress>('progress')).move;
}

async function detailsOf(handle: MoveHandle): Promise<string> {
  const metadata: { currentDetails?: string } = await handle.query('__temporal_workflow_metadata');
  return metadata.currentDetails ?? '';
}

async function expectOwner(group: string, epoch: number): Promise<void> {
  await moves.live.checkPromises();
  expect(moves.live.groupOf('s0v0')).toBe(group);
  expect(moves.live.epochOf('s0v0')).toBe(epoch);
}

test('the second move is refused at once, and names the first and what to type', async () => {
  const holder = await idOf(first);
  const second = await moves.move({ volume: 's0v0', to: 'g3' });
  const failure = await failureOf(second);
  expect(failure.type).toBe('MOVE_REFUSED');
  for (const text of [
    `volume "s0v0" is being moved by ${holder}.`,
    `volume-mover watch ${holder}.`,
    `volume-mover cancel ${holder}.`,
    'start this move again with --queue',
    'A move that no longer runs lets go by itself',
    'Everything is as it was before',
  ])
    expect(failure.message).toContain(text);
  expect(await activitiesOf(second)).toEqual(['notify', 'resolveAttempt']);
  release();
  await first.result();
  await expectOwner('g2', 2);
});

test('one that queues says what it waits for, and moves the volume when the first has given up', async () => {
  const holder = await idOf(first);
  const { handle, progress } = await queued({ volume: 's0v0', to: 'g3', queue: true });
  expect(progress.waitsFor).toMatch(/^Waits since \d{4}-\S+Z: move /);
  expect(progress.waitsFor).toContain(
    `: move ${holder} has volume "s0v0". It then moves the volumes only if they are still in group "g1". If that move no longer runs, it lets go at 2`,
  );
  expect(progress.waitsFor).toMatch(new RegExp(String.raw`Z\. To follow that move: volume-mover watch ${holder}$`));
  expect(await detailsOf(handle)).toContain(progress.waitsFor);
  await first.cancel();
  release();
  const report = await handle.result();
  expect(report.from.group).toBe('g1');
  expect(report.steps.map(({ step }) => step).slice(0, 4)).toEqual(['notify', 'queued', 'notify', 'flush']);
  expect(await failedTasksOf(handle)).toBe(0);
  await expectOwner('g3', 2);
});

test('one that queues is refused when the first has taken the volume elsewhere', async () => {
  const { handle } = await queued({ volume: 's0v0', to: 'g3', queue: true });
  release();
  await first.result();
  const failure = await failureOf(handle);
  expect(failure.type).toBe('MOVE_REFUSED');
  expect(failure.message).toContain('volume "s0v0" is in group "g2", not "g1"');
  expect(failure.message).toContain('Everything is as it was before: the volumes stay, with');
  await expectOwner('g2', 2);
});

test('one that queues and is cancelled changes nothing', async () => {
  const { handle } = await queued({ volume: 's0v0', to: 'g3', queue: true });
  await handle.cancel();
  const error: unknown = await handle.result().catch((failure: unknown) => failure);
  expect(error instanceof WorkflowFailedError ? error.cause : error).toBeInstanceOf(CancelledFailure);
  await expectOwner('g1', 1);
  release();
  await first.result();
  await expectOwner('g2', 2);
});

test('a batch beside a move by hand waits for it, and is complete', async () => {
  const batch = await startBatch(moves, { moves: ['s0v0', 's0v1', 's0v2'].map((volume) => ({ volume, to: 'g2' })) });
  const look = async (): Promise<true | undefined> => {
    const children = moves.client.workflow.list({
      query: `WorkflowType = 'moveVolume' AND TaskQueue = '${moves.taskQueue}' AND Stage = 'queued'`,
    });
    for await (const _ of children) return true;
    return undefined;
  };
  await until('a move of the batch that queues', PATIENCE_MS, look, COSTLY_POLL_INTERVAL_MS);
  release();
  await first.result();
  expect(await batch.result()).toMatchObject({ outcome: 'complete', counts: { moved: 2, alreadyThere: 1, failed: 0 } });
  await expectOwner('g2', 2);
});
