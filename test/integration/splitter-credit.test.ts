// A splitter sends a volume's records within the credit that the replica site grants: who has none
// waits alone, and says so.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type VolumeId, volumeIdSchema } from '../../contracts/ids.js';
import { describe, MIB, quiet, type Running, SIZE_BYTES, SplitterWorld, until, V1, V2 } from './splitter-fixture.js';

const KIB = 1024;
const REGION_BYTES = 64 * KIB;
const WITHOUT_END = Number.MAX_SAFE_INTEGER;
let world: SplitterWorld;

beforeEach(async () => {
  world = await new SplitterWorld().start();
});
afterEach(async () => world.stop());

async function write(splitter: Running, volume: VolumeId, records: number, bytes = REGION_BYTES): Promise<void> {
  const guest = await splitter.open(volume);
  for (let n = 0; n < records; n += 1) await guest.write((n * bytes) % SIZE_BYTES, Buffer.alloc(bytes, n + 1));
}

function expectReplicaIsSource(volume: VolumeId): void {
  expect(world.site.imageOf(volume, SIZE_BYTES).equals(world.source(volume))).toBe(true);
}

test('a volume without credit waits alone, is named with since when and why, and goes on with the first grant', async () => {
  world.first.grants.set(V1, 0);
  const splitter = await world.splitter();
  await write(splitter, V1, 8);
  await write(splitter, V2, 8);
  await quiet(splitter, V2);
  // Nobody granted anything and nobody said why: that is told too.
  await until(async () => (await describe(splitter, V1)).stalled !== undefined, 'the stall is told');
  const { connected, notes } = await describe(splitter, V1);
  expect(connected).toBe(true);
  expect(notes).toEqual([
    expect.stringMatching(/has accepted no write of volume "v1" since \d{4}-.*: it gave no reason/),
  ]);
  expect((await splitter.control.health({})).status).toBe('degraded');
  expect(world.site.records(V1)).toEqual([]);

  world.first.grant(V1, 0, 5 * MIB);
  await until(
    async () => (await describe(splitter, V1)).stalled?.unappliedBytes === 5 * MIB,
    'the splitter knows what waits at the replica site',
  );
  expect((await describe(splitter, V1)).notes[0]).toContain('5 MiB waited there to be applied');
  world.first.grant(V1, WITHOUT_END);
  await quiet(splitter, V1);
  expect(await describe(splitter, V1)).toMatchObject({ notes: [], mode: 'SYNCED' });
  expect((await describe(splitter, V1)).stalled).toBeUndefined();
  expectReplicaIsSource(V1);
});

test('no more is sent than is granted but for one record, and a new attachment begins a new account', async () => {
  world.first.grants.set(V1, 100 * KIB);
  const splitter = await world.splitter();
  await write(splitter, V1, 8);
  await until(() => world.site.records(V1).length === 2, 'the grant is used up');
  await write(splitter, V2, 8);
  await quiet(splitter, V2);
  expect(world.site.records(V1)).toHaveLength(2);

  world.first.dropStreams();
  await until(() => world.site.records(V1).length === 4, 'the second grant is used up');
  world.first.grant(V1, 200 * KIB);
  await until(() => world.site.records(V1).length === 6, 'what was added to it is used up');
  world.first.grant(V1, WITHOUT_END);
  await quiet(splitter, V1);
  expect(world.site.duplicates).toBe(0);
  expectReplicaIsSource(V1);
});

test('a stalled volume past its queue keeps marks, and is initialized again once it is granted more', async () => {
  world.first.grants.set(V1, 100 * KIB);
  const splitter = await world.splitter({ limits: { queueMaxBytes: 512 * KIB } });
  await write(splitter, V1, 32);
  await until(async () => (await describe(splitter, V1)).stalled !== undefined, 'the stall is told');
  expect(await describe(splitter, V1)).toMatchObject({ mode: 'MARKS_ONLY' });
  world.first.grant(V1, WITHOUT_END);
  await quiet(splitter, V1);
  expectReplicaIsSource(V1);
});

test('volumes that stall in the midst of a short initialization do not keep others from theirs', async () => {
  const stalled = [1, 2, 3, 4, 5, 6].map((n) => volumeIdSchema.parse(`stalled-${n}`));
  const volumes = [...stalled, V1];
  world.first.accepts = false;
  const before = await world.splitter({ volumes });
  for (const volume of volumes) await write(before, volume, 8);
  await before.stop();
  world.first.accepts = true;
  for (const volume of stalled) world.first.grants.set(volume, 1);
  const splitter = await world.splitter({ volumes });
  await quiet(splitter, V1);
  expectReplicaIsSource(V1);
  for (const volume of stalled) {
    expect((await describe(splitter, volume)).mode).not.toBe('MARKS_ONLY');
    world.first.grant(volume, WITHOUT_END);
    await quiet(splitter, volume);
    expectReplicaIsSource(volume);
  }
});

test('large writes of one volume leave a neighbour its share of the stream', async () => {
  for (const volume of [V1, V2]) world.first.grants.set(volume, 0);
  const splitter = await world.splitter();
  await write(splitter, V1, 12, 2 * MIB);
  await write(splitter, V2, 48);
  for (const volume of [V1, V2]) world.first.grants.delete(volume);
  world.first.dropStreams();
  await quiet(splitter, V1);
  await quiet(splitter, V2);

  const bytesOf = (volume: VolumeId, end: number): number =>
    world.site.order.slice(0, end).reduce((sum, record) => sum + (record.volume === volume ? record.bytes : 0), 0);
  const end = world.site.order.findLastIndex((record) => record.volume === V2) + 1;
  // Shares are equal but for the frame that is under way, and for what was sent before the
  // neighbour had attached.
  expect(bytesOf(V1, end)).toBeLessThan(bytesOf(V2, end) + 8 * MIB);
});
