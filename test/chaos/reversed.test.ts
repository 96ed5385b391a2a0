// A reversible move on an estate under writing guests: the way back is kept while every process is
// killed once, sends nothing again, keeps both histories, and ends by itself.
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { groupIdSchema, type PointId } from '../../contracts/ids.js';
import { REPLICA_SITE_ID, WORKER_ID } from '../../estate/launch.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';
import { APPLIANCE_1, APPLIANCE_2, CALL_OF, GOLD, HOST, SILVER, Testbed, VOLUME_AT } from './testbed.js';

const VOLUME = VOLUME_AT.flush;
const BRIEF = VOLUME_AT.notify;
/** Longer than the test, on any machine. */
const REVERSIBLE_MS = 3_600_000;
/** Every process once, the replica site twice. */
const KILLED = [REPLICA_SITE_ID, HOST, APPLIANCE_1, APPLIANCE_2, WORKER_ID, REPLICA_SITE_ID];
const THIRD = groupIdSchema.parse('cg-full');

let testbed: Testbed;
beforeAll(async () => {
  testbed = await Testbed.start(inject('temporalAddress'));
});
afterAll(async () => testbed.stop());

async function pointsIn(group: string): Promise<PointId[]> {
  const { points } = await testbed.estate.client.points.list({ volume: VOLUME });
  return points.filter((point) => point.group === group).map(({ id }) => id);
}

async function reservedIn(group: typeof GOLD): Promise<number | undefined> {
  const { groups } = await testbed.estate.appliance(APPLIANCE_1).calls.siteGroups({ group });
  return groups[0]?.reserved;
}

/** The code of a refusal, and of the reasons in it. */
async function refusalOf(call: Promise<unknown>): Promise<string[]> {
  const error = await call.then(
    () => new Error('It was not refused.'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof MoverError)) throw error;
  return [error.code, ...error.reasons.map(({ code }) => code)];
}

test('reversed while guests write, after every process was killed once: 0 bytes are sent again, and both histories stay', async () => {
  const { moves } = testbed.estate.client;
  const there = await testbed.startHeld(CALL_OF.notify, VOLUME, { reversibleForMs: REVERSIBLE_MS });
  there.hold.release();
  const report = await testbed.estate.reportOf(there);
  await testbed.expectMoved(there, report);
  expect(report.reversibleUntilMs).toBeGreaterThan(report.committedAtMs);
  const before = await pointsIn(GOLD);
  expect(before).toContain(report.bookmarks.left.point);
  expect(await reservedIn(GOLD)).toBe(1);
  expect((await moves.list({ volume: VOLUME })).at(0)?.reversibleUntilMs).toBe(report.reversibleUntilMs);

  for (const id of KILLED) {
    await testbed.estate.process(id).kill();
    await testbed.estate.process(id).start();
  }
  await testbed.expectNothingLost();
  const { wayBack } = await moves.get(there.moveId);
  expect(wayBack).toMatchObject({ untilMs: report.reversibleUntilMs });
  expect(wayBack?.ended).toBeUndefined();
  expect(await reservedIn(GOLD)).toBe(1);
  const elsewhere = await moves.plan({ volume: VOLUME, to: THIRD });
  expect(elsewhere.reasons.map(({ code }) => code)).toContain('STILL_REVERSIBLE');
  expect(await refusalOf(moves.start({ volume: VOLUME, to: THIRD }, { planFirst: true }))).toContain(
    'STILL_REVERSIBLE',
  );
  expect(await refusalOf(testbed.estate.client.groups.retire({ group: GOLD, dryRun: true }))).toContain(
    'STILL_REVERSIBLE',
  );

  const joined = await pointsIn(SILVER);
  const back = await testbed.estate.reportOf(await moves.reverse(there.moveId, { reason: 'a drill' }));
  expect(back.volumes).toMatchObject([{ volume: VOLUME, resentBytes: 0, holes: [] }]);
  expect(await testbed.standing(VOLUME)).toEqual({ group: GOLD, epoch: there.before.epoch + 2 });
  expect(await pointsIn(GOLD)).toEqual(expect.arrayContaining(before));
  expect(await pointsIn(SILVER)).toEqual(expect.arrayContaining(joined));
  expect((await moves.get(there.moveId)).wayBack?.ended).toMatchObject({ why: 'reversed', move: back.move });
  expect((await moves.report(there.moveId)).wayBack?.ended).toMatchObject({ why: 'reversed' });
  expect(await reservedIn(GOLD)).toBe(0);
  await testbed.expectNothingLost();
});

test('ends by itself, and by hand: then nothing is reserved, and the volume moves on', async () => {
  const { moves } = testbed.estate.client;
  const brief = await testbed.startHeld(CALL_OF.notify, BRIEF, { reversibleForMs: 1_000 });
  brief.hold.release();
  await testbed.expectMoved(brief, await testbed.estate.reportOf(brief));
  await untilTrue('the way back has ended by itself', PATIENCE_MS, async () => (await reservedIn(GOLD)) === 0);
  expect((await moves.list({ volume: BRIEF })).at(0)?.reversibleUntilMs).toBeUndefined();

  const long = await testbed.startHeld(CALL_OF.notify, BRIEF, { reversibleForMs: REVERSIBLE_MS });
  long.hold.release();
  await testbed.expectMoved(long, await testbed.estate.reportOf(long));
  expect(await reservedIn(SILVER)).toBe(1);
  const order = { operator: 'sam', reason: 'it works' };
  expect(await moves.finalize(long.moveId, order)).toContain('group "cg-silver" keeps nothing for it any more');
  expect(await moves.finalize(long.moveId, order)).toContain('has ended');
  expect(await reservedIn(SILVER)).toBe(0);
  expect(await moves.finalize(brief.moveId, order)).toContain('had ended before');
});
