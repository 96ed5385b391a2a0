// Moves cancelled during each step: before the commit everything is as before, after it the move is
// completed.
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { COMMITTED_VOLUME, Testbed } from './testbed.js';

let testbed: Testbed;
beforeAll(async () => {
  testbed = await Testbed.start(inject('temporalAddress'));
});
afterAll(async () => testbed.stop());

test('a move cancelled during any of its steps puts everything back, and its calls that arrive late change nothing', async () => {
  const moves = await testbed.holdAtEachStep();
  for (const { moveId } of moves) await testbed.estate.client.moves.cancel(moveId);
  for (const move of moves) {
    await expect(testbed.estate.reportOf(move)).rejects.toMatchObject({
      message: 'The move was cancelled; everything is as before.',
    });
    await testbed.expectAsBefore(move);
  }
  for (const { hold } of moves) hold.release();
  await testbed.expectNothingLost();
  for (const move of moves) await testbed.expectAsBefore(move);
});

test.each(['/v1/attempts/learn', '/v1/attempts/join'])(
  'a move cancelled after its commit, before %s, is completed',
  async (path) => {
    const move = await testbed.startHeld(path, COMMITTED_VOLUME);
    await move.hold.reached();
    await testbed.estate.client.moves.cancel(move.moveId);
    move.hold.release();
    const report = await testbed.estate.reportOf(move);
    await testbed.expectMoved(move, report);
    await testbed.expectNothingLost();
  },
);
