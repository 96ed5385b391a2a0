// Stored bytes that were damaged are named, and never served or skipped.
import { describe, expect, test } from 'vitest';

import { DIRECTORY, SIZE_BYTES, killedVolume, open, write } from './journal-fixture.js';

const DO_FILE = `${DIRECTORY}/do-0000000001.seg`;
const UNDO_FILE = `${DIRECTORY}/undo-0000000001.seg`;
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
  for (const [part, within] of [
    ['a header', 20],
    ['a payload', RECORD_HEADER_BYTES + 100],
  ] as const) {
    for (const index of [0, 5, COUNT - 1]) {
      test(`in ${part} of record ${index + 1} refuses to open, naming file, offset and position`, async () => {
        const disk = await killedVolume(COUNT);
        const offset = SEGMENT_HEADER_BYTES + index * RECORD_BYTES;
        flipBit(disk.contents(DO_FILE), offset + within);
        await expect(open(disk)).rejects.toMatchObject({
          code: 'CORRUPT',
          place: { file: DO_FILE, offset, position: index + 1 },
        });
      });
    }
  }

  test('in a segment header refuses to open', async () => {
    const disk = await killedVolume(COUNT);
    flipBit(disk.contents(DO_FILE), 30);
    await expect(open(disk)).rejects.toMatchObject({ code: 'CORRUPT', place: { file: DO_FILE, offset: 0 } });
  });

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

  test('with sync, in a record that a later group proves to have been durable, refuses to open', async () => {
    const disk = await killedVolume(0, { sync: true });
    const journal = await open(disk, { sync: true });
    journal.append([write(1, 0, 1)]);
    await journal.whenApplied(1);
    journal.append([write(2, 0, 2)]);
    await journal.whenApplied(2);
    disk.dieAfter(-1, 0);
    disk.revive();
    flipBit(disk.contents(DO_FILE), SEGMENT_HEADER_BYTES + 300);
    await expect(open(disk, { sync: true })).rejects.toMatchObject({ code: 'CORRUPT', place: { position: 1 } });
  });
});

describe('one flipped bit in the UNDO journal', () => {
  const record = BARE_UNDO_RECORDS + 2;
  const offset = SEGMENT_HEADER_BYTES + BARE_UNDO_RECORDS * RECORD_HEADER_BYTES + 2 * RECORD_BYTES;
  const place = { file: UNDO_FILE, offset, position: record + 1 };

  test('refuses to open if it is in the last segment', async () => {
    const disk = await killedVolume(COUNT);
    flipBit(disk.contents(UNDO_FILE), offset + RECORD_HEADER_BYTES + 7);
    await expect(open(disk)).rejects.toMatchObject({ code: 'CORRUPT', place });
  });

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

  test('in a header of an earlier segment refuses the images that need the segment', async () => {
    const disk = await killedVolume(COUNT, { segmentBytes: 20_000 });
    flipBit(disk.contents(UNDO_FILE), SEGMENT_HEADER_BYTES + 16);
    const journal = await open(disk, { segmentBytes: 20_000 });
    await expect(journal.openImage(0)).rejects.toMatchObject({
      code: 'CORRUPT',
      place: { file: UNDO_FILE, offset: SEGMENT_HEADER_BYTES, position: 1 },
    });
    expect(journal.stats().openImages).toBe(0);
    await journal.close();
  });
});

describe('what is missing is named too', () => {
  test('a lost manifest', async () => {
    const disk = await killedVolume(COUNT);
    disk.remove(`${DIRECTORY}/manifest`);
    await expect(open(disk)).rejects.toMatchObject({ code: 'CORRUPT', place: { file: `${DIRECTORY}/manifest` } });
  });

  test('a damaged manifest', async () => {
    const disk = await killedVolume(COUNT);
    flipBit(disk.contents(`${DIRECTORY}/manifest`), 5);
    await expect(open(disk)).rejects.toMatchObject({ code: 'CORRUPT', place: { file: `${DIRECTORY}/manifest` } });
  });

  test('a lost UNDO segment between others', async () => {
    const disk = await killedVolume(COUNT, { segmentBytes: 9_000 });
    disk.remove(`${DIRECTORY}/undo-0000000002.seg`);
    await expect(open(disk)).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  test('a DO journal that ends before UNDO does', async () => {
    const disk = await killedVolume(COUNT);
    disk.truncate(DO_FILE, SEGMENT_HEADER_BYTES + 3 * RECORD_BYTES);
    await expect(open(disk)).rejects.toMatchObject({ code: 'CORRUPT', place: { position: COUNT } });
  });
});
