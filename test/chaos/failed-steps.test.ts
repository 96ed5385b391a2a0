// Each of the five steps made to fail for good: everything is as before, and the failure says in
// sentences what happened.
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { MOVE_STEPS, type MoveStep } from '../../contracts/move.js';
import { APPLIANCE_1, APPLIANCE_2, FULL, type HeldMove, Testbed, VOLUME_AT } from './testbed.js';

/** One try, and a lease that is soon over: what is broken stays broken. */
const ONE_TRY = { leaseMs: 3_000, attemptsMax: 1 };
/** Bytes a second: less than one guest writes. */
const SLOW_LINK = { bytesPerSecond: 20_000, cut: false };
const LINK_CUT = { cut: true };
const LINK_RESTORED = { cut: false };

let testbed: Testbed;
beforeAll(async () => {
  testbed = await Testbed.start(inject('temporalAddress'));
});
afterAll(async () => testbed.stop());

afterEach(async () => {
  for (const appliance of [APPLIANCE_1, APPLIANCE_2]) {
    await testbed.estate.process(appliance).start();
    await testbed.setLink(appliance, LINK_RESTORED);
  }
  await testbed.expectNothingLost();
});

async function expectFailedAt(step: MoveStep, move: HeldMove): Promise<void> {
  const { message } = await testbed.failureOf(move);
  const place = `${MOVE_STEPS.indexOf(step) + 1}/${MOVE_STEPS.length} \\(${step}\\)`;
  expect(message).toMatch(
    new RegExp(
      `^The move of ${move.volume} to group "${move.to}" failed at step ${place}: [^{}]+\\. Everything is as it was before: .+\\.$`,
    ),
  );
  await testbed.healed(move.volume);
  await testbed.expectAsBefore(move);
}

test('notify: the group has no room', async () => {
  const volume = VOLUME_AT.notify;
  const before = await testbed.standing(volume);
  const started = await testbed.estate.client.moves.start({ volume, to: FULL });
  const error = await testbed.failureOf(started);
  expect(error).toMatchObject({ code: 'MOVE_REFUSED', reasons: [{ code: 'GROUP_FULL' }] });
  expect(error.message).toMatch(
    /^The move of at-notify to group "cg-full" failed at step 1\/5 \(notify\): .+\. Everything is as it was before: .+\.$/,
  );
  expect(await testbed.standing(volume)).toEqual(before);
  expect(await testbed.bookmarksOf({ ...started, volume })).toEqual([]);
});

test('flush: the link is too slow for the lag to become small', async () => {
  await testbed.setLink(APPLIANCE_1, SLOW_LINK);
  const move = await testbed.startHeld('/v1/attempts/notify', VOLUME_AT.flush, {
    ...ONE_TRY,
    lagBytesMax: 0,
    lagWaitMs: 1_000,
  });
  move.hold.release();
  await expectFailedAt('flush', move);
});

test('snapshot: the link of the old group’s appliance is cut', async () => {
  const move = await testbed.holdAt('snapshot', ONE_TRY);
  await testbed.setLink(APPLIANCE_1, LINK_CUT);
  move.hold.release();
  await expectFailedAt('snapshot', move);
});

test('bookmark: the old group’s appliance is killed and does not come back', async () => {
  const move = await testbed.holdAt('bookmark', ONE_TRY);
  await testbed.estate.process(APPLIANCE_1).kill();
  move.hold.release();
  await expectFailedAt('bookmark', move);
});

test('reconfigure: the link of the new group’s appliance is cut', async () => {
  const move = await testbed.holdAt('reconfigure', ONE_TRY);
  await testbed.setLink(APPLIANCE_2, LINK_CUT);
  move.hold.release();
  await expectFailedAt('reconfigure', move);
});
