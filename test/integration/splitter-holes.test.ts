// Room that guests give back: a trim frees it at the source, the replica follows, and a client
// learns what is a hole.
import { statSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Allocation, BASE_ALLOCATION } from '../../nbd/meta-context.js';
import { describe, MIB, quiet, SIZE_BYTES, SplitterWorld, until, V1 } from './splitter-fixture.js';

const KIB = 1024;
const GIB = 1024 * MIB;
/** Bytes of one of `stat`'s blocks. */
const SECTOR_BYTES = 512;
const HOLE = Allocation.hole + Allocation.zero;

let world: SplitterWorld;

beforeEach(async () => {
  world = await new SplitterWorld().start();
});
afterEach(async () => world.stop());

function storedBytes(): number {
  return statSync(world.path(V1, 'img')).blocks * SECTOR_BYTES;
}

test('a trim frees the whole blocks of its range, leaves the rest alone, and the replica follows', async () => {
  const splitter = await world.splitter();
  const guest = await splitter.open(V1);
  await guest.write(0, Buffer.alloc(2 * MIB, 7));
  await guest.trim(100, MIB);
  const source = world.source(V1);
  expect(source.subarray(0, 4 * KIB).equals(Buffer.alloc(4 * KIB, 7))).toBe(true);
  expect(source.subarray(4 * KIB, MIB).equals(Buffer.alloc(MIB - 4 * KIB))).toBe(true);
  expect(source.subarray(MIB, 2 * MIB).equals(Buffer.alloc(MIB, 7))).toBe(true);
  expect(storedBytes()).toBeLessThanOrEqual(MIB + 8 * KIB);
  await guest.trim(MIB + 8 * KIB, 4 * KIB, { fua: true });
  await guest.trim(0, 4 * KIB - 1);
  await quiet(splitter, V1);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);
  expect(
    world
      .source(V1)
      .subarray(MIB + 8 * KIB, MIB + 12 * KIB)
      .equals(Buffer.alloc(4 * KIB)),
  ).toBe(true);
});

test('a trim of what holds nothing writes no mark and sends no record', async () => {
  const splitter = await world.splitter();
  const guest = await splitter.open(V1);
  await guest.trim(0, SIZE_BYTES);
  await guest.write(3 * MIB, Buffer.alloc(4 * KIB, 7));
  await quiet(splitter, V1);
  await guest.trim(0, 3 * MIB);
  expect((await describe(splitter, V1)).markedRegions).toBe(0);
  expect(world.site.records(V1)).toHaveLength(1);
  expect(
    world
      .source(V1)
      .subarray(3 * MIB, 3 * MIB + 4 * KIB)
      .equals(Buffer.alloc(4 * KIB, 7)),
  ).toBe(true);
});

test('zeroes that may free room do, and zeroes that must not keep it', async () => {
  const splitter = await world.splitter();
  const guest = await splitter.open(V1);
  for (const [noHole, stored] of [
    [true, SIZE_BYTES],
    [false, SIZE_BYTES - 2 * MIB - 32 * KIB],
  ] as const) {
    await guest.write(0, Buffer.alloc(SIZE_BYTES, 7));
    await guest.zeroes(0, 2 * MIB, { noHole });
    await guest.zeroes(3 * MIB, 32 * KIB, { noHole });
    expect(storedBytes()).toBe(stored);
  }
  await quiet(splitter, V1);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);
});

test('a client learns which blocks are holes, of a disk that was never written too', async () => {
  const splitter = await world.splitter();
  const guest = await splitter.open(V1, [BASE_ALLOCATION]);
  expect((await guest.blockStatus(0, SIZE_BYTES)).get(BASE_ALLOCATION)).toEqual([{ length: SIZE_BYTES, flags: HOLE }]);
  await guest.write(MIB, Buffer.alloc(MIB, 7));
  expect((await guest.blockStatus(0, SIZE_BYTES)).get(BASE_ALLOCATION)).toEqual([
    { length: MIB, flags: HOLE },
    { length: MIB, flags: 0 },
    { length: 2 * MIB, flags: HOLE },
  ]);
});

test('zeroes over 4 GiB of hole, many at once, are one record each and touch nothing', async () => {
  const splitter = await world.splitter({ sizeMiB: 64 * 1024 });
  const guest = await splitter.open(V1, [BASE_ALLOCATION]);
  await guest.write(0, Buffer.alloc(4 * KIB, 7));
  const requests = Array.from({ length: 15 }, async (_, n) => guest.zeroes((n + 1) * 4 * GIB, 4 * GIB - MIB));
  await Promise.all(requests);
  await until(async () => (await describe(splitter, V1)).unconfirmedBytes === 0, 'all is at the site');
  expect(world.site.records(V1).map(({ type }) => type)).toEqual(['write', ...requests.map(() => 'zeroes')]);
  expect(storedBytes()).toBeLessThanOrEqual(8 * KIB);
  await quiet(splitter, V1);
});
