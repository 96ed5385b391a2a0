// What a failed sync of the source leaves to the splitter's next life: the page cache shows data
// that the disk may never have got.
import { LINEAGE } from '../support/identities.js';
import { expect, test } from 'vitest';
import { REGION_BYTES } from '../../simulator/splitter/core/marks.js';
import { PowerDisk } from '../simulation/power-disk.js';
import { SPLITTER_FOLDERS, startVolume, type VolumeLife } from '../simulation/power-splitter.js';
import { Chance } from '../simulation/virtual-time.js';

const SIZE_BYTES = 2 * REGION_BYTES;
const LENGTH = 4_096;
/** A failed sync loses a random part: some of it may have reached the disk. */
const SEEDS = Array.from({ length: 20 }, (_, seed) => seed);

const nextLife = (disk: PowerDisk, session: number): VolumeLife =>
  startVolume(
    disk.start(() => undefined),
    { session, sizeBytes: SIZE_BYTES },
  );
const ones = { kind: 'write', offset: 0, length: LENGTH, data: Buffer.alloc(LENGTH, 1) } as const;
const zeroes = { kind: 'zeroes', offset: 0, length: LENGTH } as const;

test('zeroes that the guest writes again are written, though what a failed sync lost reads as zeroes already', async () => {
  for (const seed of SEEDS) {
    const disk = new PowerDisk(new Chance(seed), SPLITTER_FOLDERS);
    const failing = nextLife(disk, 1);
    await failing.volume.change(ones, false);
    const zeroing = Promise.resolve(failing.volume.change(zeroes, false));
    disk.failSync('file');
    await expect(zeroing).rejects.toMatchObject({ code: 'EIO' });
    await nextLife(disk, 2).volume.change(zeroes, false);
    disk.losePower();
    expect(nextLife(disk, 3).source.readNow(0, LENGTH)).toEqual(Buffer.alloc(LENGTH));
  }
});

test('after a failed sync no mark is cleared, and every later write fails until the splitter is started again', async () => {
  const disk = new PowerDisk(new Chance(1), SPLITTER_FOLDERS);
  const { volume } = nextLife(disk, 1);
  const { split } = volume;
  split.attached({ n: 0, lineage: LINEAGE, base: 0 });
  await volume.change(ones, false);
  const failing = Promise.resolve(volume.change({ ...ones, offset: LENGTH }, false));
  disk.failSync('file');
  await expect(failing).rejects.toMatchObject({ code: 'EIO' });
  expect(split.notes).toEqual([expect.stringContaining('writes fail and the guest gets I/O errors')]);
  split.receipt(split.lastN);
  await expect(volume.clearMarks()).rejects.toThrow('stable storage');
  expect(split.marks.isMarked(0)).toBe(true);
  await expect(volume.change(ones, false)).rejects.toMatchObject({ code: 'EIO' });
  const next = nextLife(disk, 2);
  expect(next.volume.split.marks.isMarked(0)).toBe(true);
  await next.volume.change(ones, false);
});
