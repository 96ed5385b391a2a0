// Cancelling a move during each step: before the commit everything is put back, after it the move
// is completed.
import { CancelledFailure, WorkflowFailedError } from '@temporalio/client';
import { afterEach, describe, expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { progressQuery } from '../../workflows/shared/progress-query.js';
import { activitiesOf, Moves, type MoveHandle } from './support/moves.js';
import { PATIENCE_MS } from '../support/until.js';

let moves: Moves;
afterEach(async () => moves.stop());

async function endOf(handle: MoveHandle): Promise<unknown> {
  return handle.result().catch((error: unknown) => (error instanceof WorkflowFailedError ? error.cause : error));
}

type Held = Parameters<Moves['live']['faults']['hold']>;

/** A move, cancelled while it is held up at a call; `release` lets the call go on. */
async function cancelledAt(...held: Held): Promise<{ readonly handle: MoveHandle; readonly release: () => void }> {
  moves = await Moves.start();
  const hold = moves.live.faults.hold(...held);
  const handle = await moves.move({ volume: 's0v0', to: 'g2' });
  await hold.reached;
  await handle.cancel();
  return { handle, release: () => hold.release() };
}

async function expectOwner(group: string, epoch: number): Promise<void> {
  await moves.live.checkPromises();
  expect(moves.live.groupOf('s0v0')).toBe(group);
  expect(moves.live.epochOf('s0v0')).toBe(epoch);
}

describe('before the commit a cancelled move ends as cancelled, with everything as it was', () => {
  test.each([
    { operation: 'siteVolumes', place: 'before' },
    { operation: 'open', place: 'before' },
    { operation: 'open', place: 'after' },
    { operation: 'notify', place: 'before' },
    { operation: 'fence', place: 'before' },
    { operation: 'fence', place: 'after' },
    { operation: 'drain', place: 'before' },
    { operation: 'seal', place: 'before' },
    { operation: 'seal', place: 'after' },
    { operation: 'bookmark', place: 'before' },
    { operation: 'bookmark', place: 'after' },
    { operation: 'adopt', place: 'before' },
  ] as const)('cancelled $place $operation', async ({ operation, place }) => {
    const { handle, release } = await cancelledAt(operation, place);
    expect(await endOf(handle)).toBeInstanceOf(CancelledFailure);
    // The step that was held up goes on only now, as a zombie: it must change nothing.
    release();
    expect(await activitiesOf(handle)).toContain('resolveAttempt');
    expect(await handle.query('progress')).toMatchObject({ stage: 'failed', verdict: 'ABORTED' });
    await expectOwner('g1', 1);
  });
});

describe('after the commit a cancelled move is completed forward and returns its report', () => {
  test.each([
    { operation: 'adopt', place: 'after' },
    { operation: 'learn', place: 'before' },
    { operation: 'learn', place: 'after' },
    { operation: 'join', place: 'before' },
    { operation: 'join', place: 'after' },
  ] as const)('cancelled $place $operation', async ({ operation, place }) => {
    const { handle, release } = await cancelledAt(operation, place);
    expect(await handle.result()).toMatchObject({ outcome: 'moved', completedForward: true });
    release();
    await expectOwner('g2', 2);
  });
});

test('a move cancelled between two attempts ends as cancelled', async () => {
  moves = await Moves.start();
  moves.live.faults.fail('seal', new MoverError('CUT_VOID', 'The cut is void for this test.'), 20);
  const handle = await moves.move({ volume: 's0v0', to: 'g2', options: { attemptsMax: 20 } });
  await expect
    .poll(async () => (await handle.query(progressQuery)).stage, { timeout: PATIENCE_MS, interval: 20 })
    .toBe('waiting-to-retry');
  await handle.cancel();
  expect(await endOf(handle)).toBeInstanceOf(CancelledFailure);
  await moves.live.checkPromises();
});
