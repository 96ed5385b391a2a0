// There and back again, while every call of the first move arrives a second time, late: each is
// refused or answered as before.
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { MOVE_STEPS } from '../../contracts/move.js';
import { callsOf, decided, type SentCall, sendLate } from './late-calls.js';
import { CALL_OF, Testbed, VOLUME_AT } from './testbed.js';

/** What a call of a move that is over may be told. */
const REFUSALS = [
  'STALE_ATTEMPT',
  'ATTEMPT_COMMITTED',
  'ATTEMPT_ABORTED',
  'ATTEMPT_MISMATCH',
  'NOT_FENCED',
  'NOT_NOTIFIED',
  'FENCE_LAPSED',
  'EPOCH_MISMATCH',
  'NOT_OWNER',
  'CUT_VOID',
];
const VOLUME = VOLUME_AT.flush;

let testbed: Testbed;
beforeAll(async () => {
  testbed = await Testbed.start(inject('temporalAddress'));
});
afterAll(async () => testbed.stop());

async function bookmarks(): Promise<unknown> {
  const { points } = await testbed.estate.client.points.list({ volume: VOLUME });
  return points
    .filter(({ bookmark }) => bookmark)
    .map(({ id, kind, bookmark, members }) => ({ id, kind, bookmark, members }));
}

/**
 * Sends the calls in their order, then in the reverse order. Each must be refused or answered as
 * before, and nothing may change.
 */
async function sendAgain(calls: readonly SentCall[]): Promise<void> {
  const before = await decided(testbed);
  const marksBefore = await bookmarks();
  for (const sent of [...calls, ...calls.toReversed()]) {
    const { call, answer, refused, told } = await sendLate(sent);
    if (refused !== undefined) expect(REFUSALS, told).toContain(refused);
    // Whichever call asks for its record, a move that is done is told as committed.
    else if (z.object({ state: z.string() }).safeParse(answer).success)
      expect(answer, told).toMatchObject({ state: 'COMMITTED' });
    else if (call.path.endsWith('/learn'))
      expect(answer, told).toMatchObject({ learned: z.object({ learned: z.unknown() }).parse(call.answer).learned });
    else expect(call.path, told).toBe('/v1/attempts/drain');
  }
  expect(await decided(testbed)).toEqual(before);
  expect(await bookmarks()).toEqual(marksBefore);
}

test('late duplicates of a move change nothing, whatever step the move back is at', async () => {
  const there = await testbed.startFree(VOLUME);
  await testbed.expectMoved(there, await testbed.estate.reportOf(there));
  const calls = callsOf(testbed, there);
  const paths = calls.map(({ call }) => call.path);
  for (const operation of ['open', 'notify', 'fence', 'drain', 'seal', 'bookmark', 'adopt', 'learn', 'join'])
    expect(paths).toContain(`/v1/attempts/${operation}`);
  await sendAgain(calls);

  for (const step of MOVE_STEPS) {
    const move = await testbed.startHeld(CALL_OF[step], VOLUME);
    await move.hold.reached();
    await sendAgain(calls);
    move.hold.release();
    await testbed.expectMoved(move, await testbed.estate.reportOf(move));
    await sendAgain(calls);
  }
  const last = await testbed.startHeld('/v1/attempts/learn', VOLUME);
  await last.hold.reached();
  await sendAgain(calls);
  last.hold.release();
  await testbed.expectMoved(last, await testbed.estate.reportOf(last));
  await testbed.expectNothingLost();
});
