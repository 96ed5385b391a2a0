// Regions split into holes and data: what is read, in which order, and what isn't.
import { expect, test } from 'vitest';
import { VERIFY_REGION_BYTES } from '../../contracts/verify.js';
import { readInOrder, regionsOfPart, type Stretch, stretchesOf } from '../../simulator/digest/stretches.js';

const TIB = 1024 ** 4;
const REGIONS_OF_16_TIB = (16 * TIB) / VERIFY_REGION_BYTES;

test('only whole regions are a hole; the last one of the volume may be short', () => {
  const sizeBytes = 3.5 * VERIFY_REGION_BYTES;
  const hole = (length: number) => regionsOfPart({ length, isHole: true }, 1, sizeBytes);
  expect(hole(VERIFY_REGION_BYTES - 1)).toEqual({ regions: 1, isHole: false });
  expect(hole(2 * VERIFY_REGION_BYTES - 1)).toEqual({ regions: 1, isHole: true });
  expect(hole(2.5 * VERIFY_REGION_BYTES)).toEqual({ regions: 3, isHole: true });
  const data = regionsOfPart({ length: VERIFY_REGION_BYTES + 1, isHole: false }, 1, sizeBytes);
  expect(data).toEqual({ regions: 2, isHole: false });
});

test('16 TiB with a little data in it is looked at a few times', async () => {
  const dataAt = 100_000_000;
  let looks = 0;
  const stretches = await stretchesOf(0, REGIONS_OF_16_TIB, 2_048, async (region, regionsMax) => {
    looks += 1;
    if (region === dataAt) return { regions: 40, isHole: false };
    return { regions: region < dataAt ? dataAt - region : regionsMax, isHole: true };
  });
  expect(looks).toBe(3);
  expect(stretches.map(({ regions, isHole }) => [regions, isHole])).toEqual([
    [dataAt, true],
    [16, false],
    [16, false],
    [8, false],
    [REGIONS_OF_16_TIB - dataAt - 40, true],
  ]);
});

test('holes that follow one another are one entry, and the entries of an answer are bounded', async () => {
  const parts = [
    { regions: 5, isHole: true },
    { regions: 5, isHole: true },
    { regions: 30, isHole: false },
  ];
  const stretches = await stretchesOf(0, 40, 4, async () => parts.shift() ?? { regions: 1, isHole: false });
  expect(stretches).toEqual([
    { from: 0, regions: 10, isHole: true },
    { from: 10, regions: 3, isHole: false },
  ]);
});

const FIVE: readonly Stretch[] = Array.from({ length: 5 }, (_, from) => ({ from, regions: 1, isHole: false }));

test('reads are a few ahead, and used in order whichever ends first', async () => {
  const reading = new Map<number, (value: number) => void>();
  const buffers: Buffer[] = [];
  const used: number[] = [];
  const done = readInOrder(
    FIVE,
    ({ from }, into) => {
      buffers.push(into);
      return new Promise<number>((resolve) => void reading.set(from, resolve));
    },
    (_, data) => used.push(data),
    () => true,
  );
  expect([...reading.keys()]).toEqual([0, 1, 2, 3]);
  for (const from of [3, 2, 1, 0]) reading.get(from)?.(from);
  await expect.poll(() => reading.has(4)).toBe(true);
  reading.get(4)?.(4);
  expect(await done).toBe(5);
  expect(used).toEqual([0, 1, 2, 3, 4]);
  // The first one's buffer is free again for the last one.
  expect(new Set(buffers)).toHaveLength(4);
  expect(buffers[4]).toBe(buffers[0]);
});

test('it stops when told to, but not before the first', async () => {
  const used: number[] = [];
  expect(
    await readInOrder(
      FIVE,
      async ({ from }) => from,
      (_, data) => used.push(data),
      () => used.length === 0,
    ),
  ).toBe(1);
  expect(used).toEqual([0]);
});
