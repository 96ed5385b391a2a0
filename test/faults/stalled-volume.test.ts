// One volume whose replica stands still: what becomes of it, and that its neighbours on the same
// stream do not notice.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { applianceIdSchema, type VolumeId } from '../../contracts/ids.js';
import { connectNbd } from '../../nbd/client.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import {
  attemptRef,
  G1,
  G2,
  type RunningAppliance,
  S1,
  SiteWorld,
  SIZE_BYTES,
  until,
  V1,
  V2,
} from '../integration/replica-site-fixture.js';
import { splitterOn, type RunningSplitter } from '../integration/splitter-on.js';
import { block } from '../integration/test-splitter.js';

const KIB = 1024;
const A1 = applianceIdSchema.parse('a1');
const A2 = applianceIdSchema.parse('a2');
const LEASE_MS = 60_000;
/** Small beside the volume, so that a few rewrites stall it. */
const UNAPPLIED_BYTES_MAX = 512 * KIB;

let world: SiteWorld;

beforeEach(() => {
  world = new SiteWorld();
});
afterEach(async () => world.stop());

async function splitViewOf(splitter: RunningSplitter, volume: VolumeId) {
  const { volumes } = await splitter.control.inventory({ volume });
  const [view] = volumes;
  if (view === undefined) throw new Error('no such volume');
  return view;
}

async function quiet(splitter: RunningSplitter, volume: VolumeId): Promise<void> {
  await until(async () => {
    const { mode, unconfirmedBytes, markedRegions } = await splitViewOf(splitter, volume);
    return mode === 'SYNCED' && unconfirmedBytes === 0 && markedRegions === 0;
  }, `volume ${volume} is quiet`);
}

async function writeOver(guest: NbdClient, bytes: number, value: number): Promise<void> {
  for (let at = 0; at < bytes; at += 64 * KIB) await guest.write(at % SIZE_BYTES, block(value, 64 * KIB));
}

async function expectSame(guest: NbdClient, appliance: RunningAppliance, volume: VolumeId): Promise<void> {
  await until(
    async () => (await appliance.control.lag({ volume })).undistributedBytes === 0,
    `all of ${volume} is applied`,
  );
  const image = await connectNbd(appliance.nbd, `${volume}@latest`);
  expect((await image.read(0, SIZE_BYTES)).equals(await guest.read(0, SIZE_BYTES))).toBe(true);
  await image.disconnect();
}

test('a neighbour on the same stream goes on and is moved while one volume stands still, which goes on after it', async () => {
  const site = await world.site({ unappliedBytesMax: UNAPPLIED_BYTES_MAX });
  const a1 = await world.appliance('a1');
  const a2 = await world.appliance('a2');
  const splitter = await splitterOn(world, a1);
  const stalled = await splitter.guest(V1);
  const moved = await splitter.guest(V2);
  await stalled.write(0, block(1));
  await quiet(splitter, V1);
  await site.control.setDistribution({ volume: V1, paused: true });
  await writeOver(stalled, 8 * UNAPPLIED_BYTES_MAX, 2);

  await writeOver(moved, 4 * SIZE_BYTES, 3);
  await quiet(splitter, V2);
  expect((await splitViewOf(splitter, V1)).unconfirmedBytes).toBeGreaterThan(0);
  // What waits, waits at the splitter: nothing of it fills the way that others use.
  await until(async () => (await a1.control.lag({ volume: V1 })).bufferedBytes === 0, 'nothing is on the way');

  const from = { group: G1, appliance: A1, url: a1.url };
  const to = { group: G2, appliance: A2, url: a2.url };
  const attempt = attemptRef(1);
  const volumes = [{ volume: V2, splitter: S1, epoch: 1 }];
  const opened = await a1.control.open({
    attempt,
    volumes,
    from: G1,
    to: G2,
    leaseMs: LEASE_MS,
    deadlineAfterMs: LEASE_MS,
  });
  const ticketed = { ...attempt, ticket: opened.contents?.ticket ?? 0 };
  await splitter.control.notify({ attempt: ticketed, volumes, from, to, resolvers: [a1.url, a2.url] });
  await writeOver(moved, SIZE_BYTES, 4);
  const { cuts, others, atMs } = await splitter.control.fence({ attempt: ticketed, volumes: [V2], leaseMs: LEASE_MS });
  await writeOver(moved, SIZE_BYTES / 2, 5);
  await until(async () => (await a1.control.drain({ attempt, cuts })).drained, 'the fenced neighbour is drained');
  await a1.control.seal({ attempt, cuts, others, atMs });
  await a1.control.bookmark({ attempt });
  expect(await a2.control.adopt({ attempt })).toMatchObject({ state: 'COMMITTED' });
  await splitter.control.learn({ attempt: ticketed, verdict: 'COMMITTED', volumes, to });
  await quiet(splitter, V2);
  await expectSame(moved, a2, V2);

  await site.control.setDistribution({ volume: V1, paused: false });
  await quiet(splitter, V1);
  await expectSame(stalled, a1, V1);
});
