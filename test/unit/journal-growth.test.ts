// A journal whose volume grows: records up to the new end, and what a kill in between leaves.
import { expect, test } from 'vitest';
import { MemoryDisk } from '../property/journal-memory-disk.js';
import { BLOCK_BYTES, open, SIZE_BYTES, write } from './journal-fixture.js';

const LARGER = 2 * SIZE_BYTES;
const BLOCKS = SIZE_BYTES / BLOCK_BYTES;

test('records beyond the former end are taken after a growth, and earlier images show what was there', async () => {
  const disk = new MemoryDisk();
  const journal = await open(disk);
  journal.append([write(1, BLOCKS - 1, 7)]);
  expect(() => journal.append([write(2, BLOCKS, 8)])).toThrow(expect.objectContaining({ code: 'OUT_OF_RANGE' }));
  journal.grow(LARGER);
  expect(journal.sizeBytes).toBe(LARGER);
  journal.append([write(2, BLOCKS, 8)]);
  journal.append([write(3, 2 * BLOCKS - 1, 9)]);
  await journal.whenApplied(3);
  const [before, after] = [await journal.openImage(1), await journal.openImage(3)];
  expect((await before.read(SIZE_BYTES - 1, 2)).equals(Buffer.from([7, 0]))).toBe(true);
  expect((await after.read(SIZE_BYTES - 1, 2)).equals(Buffer.from([7, 8]))).toBe(true);
  expect((await after.read(LARGER - 1, 1))[0]).toBe(9);
  before.close();
  after.close();
  disk.dieAfter(-1, 0);
  disk.revive();

  const next = await open(disk, { sizeBytes: LARGER });
  const image = await next.openImage(3);
  expect((await image.read(LARGER - 1, 1))[0]).toBe(9);
  await expect(open(disk)).rejects.toThrow(/holds a volume of 131072 bytes, not of 65536/);
});

test('a growth that was not stored before the kill is taken from the opening', async () => {
  const disk = new MemoryDisk();
  const journal = await open(disk);
  journal.append([write(1, 0, 1)]);
  await journal.whenApplied(1);
  journal.grow(LARGER);
  disk.dieAfter(-1, 0);
  disk.revive();
  const next = await open(disk, { sizeBytes: LARGER });
  next.append([write(2, 2 * BLOCKS - 1, 2)]);
  await next.whenApplied(2);
  disk.dieAfter(-1, 0);
  disk.revive();
  const last = await open(disk, { sizeBytes: LARGER });
  expect(last.durable.position).toBe(2);
});

test('a volume that ends in the middle of a block does not grow', async () => {
  const journal = await open(new MemoryDisk(), { sizeBytes: SIZE_BYTES - 1 });
  expect(() => journal.grow(LARGER)).toThrow(/not of whole blocks/);
});
