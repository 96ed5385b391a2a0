// Moves cancelled during each step: before the commit everything is as before, after it the move is
// completed.
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { COMMITTED_VOLUME, Stand } from './stand.js';

let stand: Stand;
beforeAll(async () => {
  stand = await Stand.start(inject('temporalAddress'));
});
afterAll(async () => stand.stop());

test('a move cancelled during any of its steps puts everything back, and its calls that arrive late change nothing', async () => {
  const moves = await stand.holdAtEachStep();
  for (const { moveId } of moves) await stand.estate.client.cancelMove(moveId);
  for (const move of moves) {
    await expect(stand.estate.reportOf(move)).rejects.toMatchObject({
      message: 'The move was cancelled; everything is as before.',
    });
    await stand.expectAsBefore(move);
  }
  for (const { hold } of moves) hold.release();
  await stand.expectNothingLost();
  for (const move of moves) await stand.expectAsBefore(move);
});

test.each(['/v1/attempts/learn', '/v1/attempts/join'])(
  'a move cancelled after its commit, before %s, is completed',
  async (path) => {
    const move = await stand.startHeld(path, COMMITTED_VOLUME);
    await move.hold.reached();
    await stand.estate.client.cancelMove(move.moveId);
    move.hold.release();
    const report = await stand.estate.reportOf(move);
    await stand.expectMoved(move, report);
    await stand.expectNothingLost();
  },
);
