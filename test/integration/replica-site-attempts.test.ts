// The life of an attempt at the replica site, over HTTP and streams: what each step is refused for,
// and that it can be repeated.
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  attemptRef,
  G1,
  G2,
  refusal,
  type RunningSite,
  S1,
  SiteWorld,
  until,
  V1,
  V2,
  V3,
  S2,
  volumeOf,
} from './replica-site-fixture.js';
import { block, TestSplitter } from './test-splitter.js';

let world: SiteWorld;

beforeEach(() => {
  world = new SiteWorld();
});
afterEach(async () => world.stop());

const LEASE_MS = 60_000;

function opening(
  n: number,
  { volumes = [{ volume: V1, splitter: S1, epoch: 1 }], from = G1, to = G2, move = 'move-1', leaseMs = LEASE_MS } = {},
) {
  return { attempt: attemptRef(n, move), volumes, from, to, leaseMs, deadlineAfterMs: 10 * LEASE_MS };
}

const cut = (n: number, volume = V1, session = 1) => ({ volume, session, n });

async function drained(site: RunningSite, n: number, cuts: ReturnType<typeof cut>[]): Promise<void> {
  await until(async () => (await site.control.drain({ attempt: attemptRef(n), cuts })).drained, 'drained');
}

test('a move from open to join changes the owner once, and each step answers the same again', async () => {
  const site = await world.site();
  const splitter = await TestSplitter.connect(site.url, S1);
  await splitter.attach(1, V1);
  for (let n = 1; n <= 10; n += 1) splitter.write(1, n, 0, block(n));
  const attempt = attemptRef(1);
  const opened = await site.control.open(opening(1));
  expect(opened).toMatchObject({ state: 'OPEN', contents: { ticket: 1, from: G1, to: G2 } });
  expect(await site.control.open(opening(1))).toEqual(opened);
  expect(await refusal(site.control.open(opening(1, { to: G1, from: G2 })))).toBe('ATTEMPT_MISMATCH');
  expect((await site.control.groups({})).groups).toMatchObject([
    { group: G1, volumes: 3, reserved: 0 },
    { group: G2, volumes: 0, reserved: 1 },
  ]);
  expect(await refusal(site.control.bookmark({ attempt }))).toBe('NOT_SEALED');
  expect(await refusal(site.control.adopt({ attempt }))).toBe('NOT_SEALED');

  expect(await site.control.drain({ attempt, cuts: [cut(12)] })).toMatchObject({ drained: false });
  expect(await refusal(site.control.seal({ attempt, cuts: [cut(12)], atMs: 5_000 }))).toBe('NOT_DRAINED');
  splitter.write(1, 11, 0, block(11));
  splitter.write(1, 12, 0, block(12));
  await drained(site, 1, [cut(12)]);
  expect(await refusal(site.control.seal({ attempt, cuts: [cut(11)], atMs: 5_000 }))).toBe('CUT_VOID');
  const sealed = await site.control.seal({ attempt, cuts: [cut(12)], atMs: 5_000 });
  expect(sealed.seals).toEqual([{ ...cut(12), position: 12 }]);
  expect(await site.control.seal({ attempt, cuts: [cut(12)], atMs: 6_000 })).toEqual(sealed);
  splitter.write(1, 13, 0, block(13));
  expect(await splitter.refusedWith(1)).toBe('PENDING_VERDICT');

  const bookmarked = await site.control.bookmark({ attempt });
  expect(await site.control.bookmark({ attempt })).toEqual(bookmarked);
  const adopted = await site.control.adopt({ attempt });
  expect(adopted.state).toBe('COMMITTED');
  expect(await site.control.adopt({ attempt })).toEqual(adopted);
  expect(await site.control.resolve({ attempt })).toEqual(adopted);
  expect(await volumeOf(site)).toMatchObject({ group: G2, appliance: 'a2', epoch: 2 });
  const left = await site.control.findPoint({ point: adopted.left?.point });
  expect(left).toMatchObject({
    group: G1,
    kind: 'left',
    bookmark: { pending: false },
    members: [{ volume: V1, position: 12 }],
  });

  expect(await splitter.attach(1, V1)).toMatchObject({ code: 'EPOCH_MISMATCH' });
  expect(await splitter.attach(2, V1, { epoch: 2, group: G2 })).toMatchObject({ type: 'attached', n: 12 });
  splitter.write(2, 13, 0, block(13), { epoch: 2 });
  await splitter.confirmed(2, 13);
  const point = await site.control.closePoint({
    group: G2,
    kind: 'demand',
    atMs: 7_000,
    cuts: [cut(13)],
    leftOut: [],
    waitMs: 1_000,
  });
  const joined = await site.control.join({ attempt, point: point.id });
  expect(joined.joined).toMatchObject({ point: point.id });
  expect(await site.control.join({ attempt, point: point.id })).toEqual(joined);
});

test('an aborted attempt leaves no bookmark, frees the room and lets writes in again at the old epoch', async () => {
  const site = await world.site();
  const splitter = await TestSplitter.connect(site.url, S1);
  await splitter.attach(1, V1);
  splitter.write(1, 1, 0, block(1));
  const attempt = attemptRef(1);
  await site.control.open(opening(1));
  await drained(site, 1, [cut(1)]);
  const { left } = await site.control.seal({ attempt, cuts: [cut(1)], atMs: 5_000 });
  await site.control.bookmark({ attempt });
  const aborted = await site.control.resolve({ attempt, reason: 'cancelled' });
  expect(aborted).toMatchObject({ state: 'ABORTED', reason: 'cancelled', seals: [] });
  expect(aborted.left).toBeUndefined();
  expect(await refusal(site.control.findPoint({ point: left?.point }))).toBe('POINT_NOT_FOUND');
  expect(await refusal(site.control.adopt({ attempt }))).toBe('ATTEMPT_ABORTED');
  splitter.write(1, 2, 0, block(2));
  await splitter.confirmed(1, 2);
  expect(await volumeOf(site)).toMatchObject({ group: G1, epoch: 1 });
  expect((await site.control.groups({})).groups[1]).toMatchObject({ reserved: 0 });
});

test('volumes of one move are adopted together or not at all', async () => {
  const site = await world.site();
  const splitter = await TestSplitter.connect(site.url, S1);
  await splitter.attach(1, V1);
  await splitter.attach(2, V2);
  splitter.write(1, 1, 0, block(1));
  splitter.write(2, 1, 0, block(2));
  const attempt = attemptRef(1);
  const volumes = [V1, V2].map((volume) => ({ volume, splitter: S1, epoch: 1 }));
  await site.control.open(opening(1, { volumes }));
  await drained(site, 1, [cut(1, V1), cut(1, V2)]);
  expect(await refusal(site.control.seal({ attempt, cuts: [cut(1, V1)], atMs: 1 }))).toBe('ATTEMPT_MISMATCH');
  await site.control.seal({ attempt, cuts: [cut(1, V1), cut(1, V2)], atMs: 1 });
  await site.control.bookmark({ attempt });
  await site.control.adopt({ attempt });
  expect([(await volumeOf(site, V1)).group, (await volumeOf(site, V2)).group]).toEqual([G2, G2]);
  const full = site.control.open(opening(1, { move: 'move-2', volumes: [{ volume: V3, splitter: S2, epoch: 1 }] }));
  expect(await refusal(full)).toBe('GROUP_FULL');
});

test('a volume with an open attempt is busy for another move until the lease runs out', async () => {
  const site = await world.site();
  await site.control.open(opening(1, { leaseMs: 1_000 }));
  expect(await refusal(site.control.open(opening(1, { move: 'move-2' })))).toBe('VOLUME_BUSY');
  await until(
    async () => (await refusal(site.control.open(opening(1, { move: 'move-2' })))) === 'not refused',
    'the lease ran out',
  );
  expect((await site.control.get(attemptRef(1))).state).toBe('ABORTED');
  expect((await site.control.get(attemptRef(1, 'move-2'))).contents?.ticket).toBe(2);
  expect(await refusal(site.control.renew({ attempt: attemptRef(1), leaseMs: 1_000 }))).toBe('ATTEMPT_ABORTED');
});

test('a cut whose writes were lost with the splitter is void at once, not waited for', async () => {
  const site = await world.site();
  const splitter = await TestSplitter.connect(site.url, S1);
  await splitter.attach(1, V1);
  splitter.write(1, 1, 0, block(1));
  await splitter.confirmed(1, 1);
  await site.control.open(opening(1));
  const again = await TestSplitter.connect(site.url, S1);
  await again.attach(1, V1, { session: 2 });
  again.write(1, 1, 0, block(1), { session: 2 });
  await again.confirmed(1, 1);
  expect(await refusal(site.control.drain({ attempt: attemptRef(1), cuts: [cut(2)] }))).toBe('CUT_VOID');
  expect(await refusal(site.control.seal({ attempt: attemptRef(1), cuts: [cut(2)], atMs: 1 }))).toBe('CUT_VOID');
});

test('every answered step survives kill -9 of the replica site', async () => {
  let site = await world.siteProcess();
  const restart = async () => {
    await site.kill();
    site = await world.siteProcess();
  };
  const splitter = await TestSplitter.connect(site.url, S1);
  await splitter.attach(1, V1);
  for (let n = 1; n <= 50; n += 1) splitter.write(1, n, (n % 5) * 4096, block(n));
  await splitter.confirmed(1, 50);
  const attempt = attemptRef(1);
  const opened = await site.control.open(opening(1));
  await restart();
  expect(await site.control.get(attempt)).toEqual(opened);
  await drained(site, 1, [cut(50)]);
  const sealed = await site.control.seal({ attempt, cuts: [cut(50)], atMs: 5_000 });
  await restart();
  expect(await site.control.get(attempt)).toEqual(sealed);
  const bookmarked = await site.control.bookmark({ attempt });
  await restart();
  expect(await site.control.get(attempt)).toEqual(bookmarked);
  const adopted = await site.control.adopt({ attempt });
  await restart();
  expect(await site.control.get(attempt)).toEqual(adopted);
  expect(await volumeOf(site)).toMatchObject({ group: G2, epoch: 2, durable: { position: 50 } });
  const { points } = await site.control.listPoints({ volume: V1 });
  expect(points).toMatchObject([{ id: sealed.left?.point, bookmark: { pending: false } }]);
});

test('listings come in pages', async () => {
  const site = await world.site();
  const first = await site.control.volumes({ limit: 2 });
  expect(first.volumes.map((row) => row.volume)).toEqual([V1, V2]);
  const second = await site.control.volumes({ limit: 2, cursor: first.next });
  expect(second.volumes.map((row) => row.volume)).toEqual([V3]);
  expect(second.next).toBeUndefined();
  for (let i = 0; i < 5; i += 1)
    await site.control.closePoint({ group: G1, kind: 'demand', atMs: 1_000 + i, cuts: [], leftOut: [], waitMs: 0 });
  const page = await site.control.listPoints({ group: G1, limit: 3 });
  const rest = await site.control.listPoints({ group: G1, limit: 3, cursor: page.next });
  expect([page.points.length, rest.points.length, rest.next]).toEqual([3, 2, undefined]);
  expect(await site.control.findPoint({ group: G1, atMs: 1_002 })).toMatchObject({ atMs: 1_002 });
  expect(await refusal(site.control.findPoint({ group: G1, atMs: 10 }))).toBe('POINT_NOT_FOUND');
});
