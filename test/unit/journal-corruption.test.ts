// Stored bytes that were damaged are named, and never served or skipped.
import { crc32 } from 'node:zlib';

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { JournalError } from '../../simulator/replica-site/journal/terms/errors.js';
import type { Image, NewRecord, VolumeJournal } from '../../simulator/replica-site/journal/terms/types.js';
import { MemoryDisk } from '../property/journal-memory-disk.js';
import { VolumeModel } from '../property/journal-model.js';

import { BLOCK_BYTES, DIRECTORY, SIZE_BYTES, killedVolume, open, write } from './journal-fixture.js';

const DO_FILE = `${DIRECTORY}/do-0000000001.seg`;
const UNDO_FILE = `${DIRECTORY}/undo-0000000001.seg`;
const REPLICA_FILE = `${DIRECTORY}/replica.img`;
const SUMS_FILE = `${DIRECTORY}/replica.sum`;
const SEGMENT_HEADER_BYTES = 64;
const RECORD_HEADER_BYTES = 64;
const RECORD_BYTES = RECORD_HEADER_BYTES + 4096;
/** Four writes over untouched blocks leave UNDO without payload. */
const BARE_UNDO_RECORDS = 4;
const COUNT = 12;

function flipBit(bytes: Buffer, at: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ 1;
}

describe('one flipped bit in the DO journal', () => {
  test('under a running journal stops distribution before it reaches the replica', async () => {
    const disk = await killedVolume(0);
    const failures: unknown[] = [];
    const journal = await open(disk, { onFailed: (error) => failures.push(error) });
    await journal.pauseDistribution();
    journal.append([write(1, 0, 1), write(2, 1, 2)]);
    await expect.poll(() => journal.durable.position).toBe(2);
    flipBit(disk.contents(DO_FILE), SEGMENT_HEADER_BYTES + RECORD_BYTES + 200);
    journal.resumeDistribution();
    const place = { file: DO_FILE, offset: SEGMENT_HEADER_BYTES + RECORD_BYTES, position: 2 };
    await expect(journal.whenApplied(2)).rejects.toMatchObject({ code: 'CORRUPT', place });
    expect(failures).toEqual([journal.failure]);
    expect(() => journal.append([write(3, 0, 3)])).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
    await journal.close();
  });
});

describe('one flipped bit in the UNDO journal', () => {
  test('in old data of an earlier segment is found by the image that needs it, and by no other', async () => {
    const disk = await killedVolume(COUNT, { segmentBytes: 20_000 });
    const contents = disk.contents(UNDO_FILE);
    flipBit(contents, SEGMENT_HEADER_BYTES + BARE_UNDO_RECORDS * RECORD_HEADER_BYTES + RECORD_HEADER_BYTES + 7);
    const journal = await open(disk, { segmentBytes: 20_000 });
    const damaged = await journal.openImage(4);
    await expect(damaged.read(0, SIZE_BYTES)).rejects.toMatchObject({
      code: 'CORRUPT',
      place: { file: UNDO_FILE, position: 5 },
    });
    const sound = await journal.openImage(5);
    await expect(sound.read(0, SIZE_BYTES)).resolves.toHaveLength(SIZE_BYTES);
    await journal.close();
  });
});

/**
 * A volume of four written blocks, distributed and closed: nothing is left in DO that would be
 * redone.
 */
async function closedVolume(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const journal = await open(disk);
  for (let n = 1; n <= 4; n += 1) journal.append([write(n, n - 1, n)]);
  await journal.whenApplied(4);
  await journal.close();
  return disk;
}

describe('one flipped bit in the replica image or its checksums', () => {
  const damages = [
    ['the image', REPLICA_FILE, 2 * BLOCK_BYTES + 77],
    ['the checksums', SUMS_FILE, 2 * 4 + 1],
  ] as const;

  test.each(damages)('in %s is named by an image that needs the block, and by no other read', async (_, file, at) => {
    const disk = await closedVolume();
    flipBit(disk.contents(file), at);
    const journal = await open(disk);
    const image = await journal.openImage(4);
    const place = { file: REPLICA_FILE, offset: 2 * BLOCK_BYTES, position: 4 };
    await expect(image.read(0, SIZE_BYTES)).rejects.toMatchObject({ code: 'CORRUPT', place });
    await expect(image.read(2 * BLOCK_BYTES + 5, 1)).rejects.toMatchObject({ code: 'CORRUPT', place });
    expect((await image.read(BLOCK_BYTES, BLOCK_BYTES))[0]).toBe(2);
    const older = await journal.openImage(2);
    expect((await older.read(2 * BLOCK_BYTES, BLOCK_BYTES)).equals(Buffer.alloc(BLOCK_BYTES))).toBe(true);
    await journal.close();
  });

  test.each(damages)(
    'in %s is healed by a write over the whole block, and older images name it',
    async (_, file, at) => {
      const disk = await closedVolume();
      flipBit(disk.contents(file), at);
      const warnings: object[] = [];
      const log = { info: () => undefined, warn: (fields: object) => warnings.push(fields) };
      const journal = await open(disk, { log });
      journal.append([write(5, 2, 5), write(6, 2, 6)]);
      await journal.whenApplied(6);
      expect(journal.stats().damagedBlocks).toBe(1);
      expect(warnings).toEqual([{ file: REPLICA_FILE, offset: 2 * BLOCK_BYTES, position: 5, blocks: 1 }]);
      for (const [position, fill] of [
        [5, 5],
        [6, 6],
      ] as const) {
        expect((await (await journal.openImage(position)).read(2 * BLOCK_BYTES, 1))[0]).toBe(fill);
      }
      const damaged = await journal.openImage(4);
      const place = { file: REPLICA_FILE, offset: 2 * BLOCK_BYTES, position: 4 };
      await expect(damaged.read(0, SIZE_BYTES)).rejects.toMatchObject({ code: 'CORRUPT', place });
      expect((await damaged.read(BLOCK_BYTES, 1))[0]).toBe(2);
      await journal.close();
    },
  );

  test.each(damages)(
    'in %s is not healed by a write over a part of the block, even if it is redone',
    async (_, file, at) => {
      const disk = await closedVolume();
      flipBit(disk.contents(file), at);
      const journal = await open(disk);
      const { session, epoch, timeMs } = write(5, 2, 5);
      const offset = 2 * BLOCK_BYTES + 1000;
      journal.append([{ kind: 'write', session, n: 5, epoch, timeMs, offset, data: Buffer.alloc(500, 5) }]);
      await journal.whenApplied(5);
      disk.dieAfter(-1, 0);
      disk.revive();
      const again = await open(disk);
      for (const position of [4, 5]) {
        const image = await again.openImage(position);
        await expect(image.read(2 * BLOCK_BYTES, BLOCK_BYTES)).rejects.toMatchObject({ code: 'CORRUPT' });
        expect((await image.read(3 * BLOCK_BYTES, 1))[0]).toBe(4);
      }
      await again.close();
    },
  );

  test('made after a write over a part of the block, and before that is redone, is found', async () => {
    const disk = new MemoryDisk();
    const journal = await open(disk);
    journal.append([{ ...write(1, 0, 1), kind: 'write', offset: 10, data: Buffer.alloc(20, 1) }]);
    await journal.whenApplied(1);
    disk.dieAfter(-1, 0);
    disk.revive();
    flipBit(disk.contents(REPLICA_FILE), 5);
    const again = await open(disk);
    await expect((await again.openImage(1)).read(0, 1)).rejects.toMatchObject({ code: 'CORRUPT' });
    await again.close();
  });
});

describe('checksums that are gone', () => {
  test('make written blocks unreadable, and are not made anew', async () => {
    const disk = await closedVolume();
    disk.remove(SUMS_FILE);
    for (let opening = 0; opening < 2; opening += 1) {
      const journal = await open(disk);
      const image = await journal.openImage(4);
      const place = { file: REPLICA_FILE, offset: 0, position: 4 };
      await expect(image.read(0, 1)).rejects.toMatchObject({ code: 'CORRUPT', place });
      await journal.close();
    }
  });

  test('tell that the image lost its end', async () => {
    const disk = await closedVolume();
    disk.truncate(REPLICA_FILE, 2 * BLOCK_BYTES + 100);
    const journal = await open(disk);
    journal.append([write(5, 3, 5)]);
    await journal.whenApplied(5);
    await expect((await journal.openImage(5)).read(2 * BLOCK_BYTES, 1)).rejects.toMatchObject({ code: 'CORRUPT' });
    await expect((await journal.openImage(4)).read(3 * BLOCK_BYTES, 1)).rejects.toMatchObject({ code: 'CORRUPT' });
    await journal.close();
  });

  test.each([false, true])(
    'are built once in a folder of format 1 (sync: %s), and check from then on',
    async (sync) => {
      const disk = await killedVolume(COUNT, { sync });
      disk.remove(SUMS_FILE);
      toFormat1(disk);
      const journal = await open(disk, { sync });
      for (const position of [0, 7, COUNT]) await compareImage(await journal.openImage(position), model(COUNT));
      await journal.close();
      flipBit(disk.contents(REPLICA_FILE), 9);
      const again = await open(disk, { sync });
      await expect((await again.openImage(COUNT)).read(0, 1)).rejects.toMatchObject({ code: 'CORRUPT' });
      await again.close();
    },
  );
});

test('UNDO torn between the sums of a record and its old data goes on as if the record had none', async () => {
  const disk = new MemoryDisk();
  const whole = new VolumeModel(SIZE_BYTES);
  const journal = await open(disk);
  for (let n = 1; n <= 2; n += 1) {
    const record = { ...write(n, 0, n), kind: 'write' as const, offset: 10, data: Buffer.alloc(8_000, n) };
    journal.append([record]);
    whole.append(record);
    await journal.whenApplied(n);
  }
  disk.dieAfter(-1, 0);
  disk.revive();
  // Killed before the second was noted to be applied; of its UNDO, the sums of two blocks are left.
  disk.remove(`${DIRECTORY}/applied`);
  const sums = RECORD_HEADER_BYTES + 2 * 12;
  disk.truncate(UNDO_FILE, SEGMENT_HEADER_BYTES + 2 * sums + RECORD_HEADER_BYTES);
  for (let opening = 0; opening < 2; opening += 1) {
    // Too little for both: the old data of the second goes to a segment of its own.
    const again = await open(disk, { segmentBytes: 8_300 });
    await again.whenApplied(2);
    for (const position of [0, 1, 2]) {
      const bytes = await (await again.openImage(position)).read(0, SIZE_BYTES);
      expect(bytes.equals(whole.at(position))).toBe(true);
    }
    disk.dieAfter(-1, 0);
    disk.revive();
  }
});

/** What `killedVolume` wrote. */
function model(count: number): VolumeModel {
  const model = new VolumeModel(SIZE_BYTES);
  for (let n = 1; n <= count; n += 1) model.append(write(n, n % 4, n));
  return model;
}

function toFormat1(disk: MemoryDisk): void {
  const path = `${DIRECTORY}/manifest`;
  const [text = ''] = disk.contents(path).toString().split('\n');
  const { sizeBytes, trimPosition, floor, sessions } = JSON.parse(text) as Record<string, unknown>;
  const facts = { sizeBytes, trimPosition, floor, sessions };
  const old = JSON.stringify({ ...facts, format: 1 });
  disk.remove(path);
  disk.remove(`${path}.copy`);
  disk.write(path, [Buffer.from(`${old}\n${crc32(old)}\n`)], 0);
}

async function compareImage(image: Image, model: VolumeModel): Promise<void> {
  expect((await image.read(0, SIZE_BYTES)).equals(model.at(image.position))).toBe(true);
  image.close();
}

describe('a flipped bit anywhere is named wherever its byte is needed, and never served', () => {
  const SEGMENT_BYTES = 24_000;
  const CHUNK_BYTES = 6_000;
  const kinds = ['replica.img', 'replica.sum', 'do-', 'undo-'] as const;
  const writes = fc.array(
    fc.record({
      offset: fc.oneof(
        fc.nat(SIZE_BYTES - 1),
        fc.nat(SIZE_BYTES / BLOCK_BYTES - 1).map((block) => block * BLOCK_BYTES),
      ),
      length: fc.oneof(fc.integer({ min: 1, max: 9_000 }), fc.constant(BLOCK_BYTES)),
      zero: fc.integer({ min: 0, max: 5 }).map((one) => one === 0),
    }),
    { minLength: 4, maxLength: 20, size: 'max' },
  );
  const place = fc.record({ file: fc.nat(), byte: fc.nat(999_999).map((one) => one / 1_000_000), bit: fc.nat(7) });

  test.each(kinds)('in %s', { timeout: 60_000 }, async (kind) => {
    let found = 0;
    const property = fc.asyncProperty(writes, writes, place, fc.boolean(), async (before, after, where, closes) => {
      const disk = new MemoryDisk();
      const model = new VolumeModel(SIZE_BYTES);
      const journal = await open(disk, { segmentBytes: SEGMENT_BYTES });
      await appendAll(journal, model, before);
      await journal.retain({ positions: [1, 3], everyFrom: model.position >> 1 });
      const lineage = journal.lineage.id;
      if (closes) await journal.close();
      disk.dieAfter(-1, 0);
      disk.revive();
      const names = disk.list(DIRECTORY)?.filter((name) => name.startsWith(kind)) ?? [];
      const name = names[where.file % names.length];
      if (name === undefined) return;
      const bytes = disk.contents(`${DIRECTORY}/${name}`);
      const at = Math.floor(where.byte * bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << where.bit);
      const again = await sound(open(disk, { segmentBytes: SEGMENT_BYTES }));
      if (again === undefined) {
        found += 1;
        return;
      }
      found += await compareAll(again, model);
      if (again.damage.some((damage) => damage.kind === 'records')) {
        // Nobody knows how many records followed a damaged header of DO. Their numbers are given
        // up, and the splitter sends the volume again, in another lineage.
        expect(again.lineage.id).not.toBe(lineage);
        await again.close();
        return;
      }
      const goesOn = await sound(appendAll(again, model, after));
      if (goesOn !== undefined) {
        await sound(again.retain({ positions: [3, before.length], everyFrom: model.position - 1 }));
        found += await compareAll(again, model);
      }
      await again.close();
    });
    await expect(fc.assert(property, { numRuns: 40 })).resolves.toBeUndefined();
    // All of DO is in the replica image for sure: damage there costs no position.
    if (kind !== 'do-') expect(found).toBeGreaterThan(0);
  });

  async function appendAll(
    journal: VolumeJournal,
    model: VolumeModel,
    sketches: readonly { readonly offset: number; readonly length: number; readonly zero: boolean }[],
  ): Promise<true> {
    for (const { offset, length, zero } of sketches) {
      const n = model.position + 1;
      const range = { offset, length: Math.min(length, SIZE_BYTES - offset) };
      const stamp = { session: 1, n, epoch: 1, timeMs: n };
      const record: NewRecord = zero
        ? { ...stamp, kind: 'zeroes', ...range }
        : { ...stamp, kind: 'write', offset, data: Buffer.alloc(range.length, n) };
      journal.append([record]);
      model.append(record);
    }
    await journal.whenApplied(model.position);
    return true;
  }

  function isOfDamage({ code }: JournalError): boolean {
    return code === 'CORRUPT' || code === 'DAMAGED';
  }

  /** Undefined if the journal reports damage and its place. @throws any other failure */
  async function sound<Result>(work: Promise<Result>): Promise<Result | undefined> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof JournalError && isOfDamage(error) && error.place !== undefined) return undefined;
      throw error;
    }
  }

  /** Counts the reads that report damage. All others have the model's bytes. */
  async function compareAll(journal: VolumeJournal, model: VolumeModel): Promise<number> {
    let found = 0;
    for (let position = 0; position <= model.position; position += 1) {
      const image = await sound(journal.openImage(position)).catch((error: unknown) => {
        if (error instanceof JournalError && error.code === 'TRIMMED') return 'trimmed' as const;
        throw error;
      });
      if (image === 'trimmed') continue;
      if (image === undefined) {
        found += 1;
        continue;
      }
      for (let offset = 0; offset < SIZE_BYTES; offset += CHUNK_BYTES) {
        const length = Math.min(CHUNK_BYTES, SIZE_BYTES - offset);
        const bytes = await sound(image.read(offset, length));
        if (bytes === undefined) found += 1;
        else expect(bytes.equals(model.at(position).subarray(offset, offset + length))).toBe(true);
      }
      image.close();
    }
    return found;
  }
});
