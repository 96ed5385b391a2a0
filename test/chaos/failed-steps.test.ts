// Each of the five steps made to fail for good: everything is as before, and the failure says in
// sentences what happened.
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { MOVE_STEPS, type MoveStep } from '../../contracts/move.js';
import { APPLIANCE_1, APPLIANCE_2, FULL, type HeldMove, Stand, VOLUME_AT } from './stand.js';

/** One try, and a lease that is soon over: what is broken stays broken. */
const ONE_TRY = { leaseMs: 3_000, attemptsMax: 1 };
/** Bytes a second: less than one guest writes. */
const SLOW_LINK = { bytesPerSecond: 20_000, cut: false };
const LINK_CUT = { cut: true };
const LINK_RESTORED = { cut: false };

let stand: Stand;
beforeAll(async () => {
  stand = await Stand.start(inject('temporalAddress'));
});
afterAll(async () => stand.stop());

afterEach(async () => {
  for (const appliance of [APPLIANCE_1, APPLIANCE_2]) {
    await stand.estate.process(appliance).start();
    await stand.setLink(appliance, LINK_RESTORED);
  }
  await stand.expectNothingLost();
});

async function expectFailedAt(step: MoveStep, move: HeldMove): Promise<void> {
  const { message } = await stand.failureOf(move);
  const place = `${MOVE_STEPS.indexOf(step) + 1}/${MOVE_STEPS.length} \\(${step}\\)`;
  expect(message).toMatch(
    new RegExp(
      `^The move of ${move.volume} to group "${move.to}" failed at step ${place}: [^{}]+\\. Everything is as it was before: .+\\.$`,
    ),
  );
  await stand.healed(move.volume);
  await stand.expectAsBefore(move);
}

test('notify: the group has no room', async () => {
  const volume = VOLUME_AT.notify;
  const before = await stand.standing(volume);
  const started = await stand.estate.client.startMove({ volume, to: FULL });
  const error = await stand.failureOf(started);
  expect(error).toMatchObject({ code: 'MOVE_REFUSED', reasons: [{ code: 'GROUP_FULL' }] });
  expect(error.message).toMatch(
    /^The move of at-notify to group "cg-full" failed at step 1\/5 \(notify\): .+\. Everything is as it was before: .+\.$/,
  );
  expect(await stand.standing(volume)).toEqual(before);
  expect(await stand.bookmarksOf({ ...started, volume })).toEqual([]);
});

test('flush: the link is too slow for the lag to become small', async () => {
  await stand.setLink(APPLIANCE_1, SLOW_LINK);
  const move = await stand.startHeld('/v1/attempts/notify', VOLUME_AT.flush, {
    ...ONE_TRY,
    lagBytesMax: 0,
    lagWaitMs: 1_000,
  });
  move.hold.release();
  await expectFailedAt('flush', move);
});

test('snapshot: the link of the old group’s appliance is cut', async () => {
  const move = await stand.holdAt('snapshot', ONE_TRY);
  await stand.setLink(APPLIANCE_1, LINK_CUT);
  move.hold.release();
  await expectFailedAt('snapshot', move);
});

test('bookmark: the old group’s appliance is killed and does not come back', async () => {
  const move = await stand.holdAt('bookmark', ONE_TRY);
  await stand.estate.process(APPLIANCE_1).kill();
  move.hold.release();
  await expectFailedAt('bookmark', move);
});

test('reconfigure: the link of the new group’s appliance is cut', async () => {
  const move = await stand.holdAt('reconfigure', ONE_TRY);
  await stand.setLink(APPLIANCE_2, LINK_CUT);
  move.hold.release();
  await expectFailedAt('reconfigure', move);
});
