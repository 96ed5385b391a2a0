// Which positions stay openable, what the others' UNDO costs once they are let go of, and what is
// counted for whom.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import type { Image, VolumeJournal } from '../../simulator/replica-site/journal/terms/types.js';
import { openVolumeJournal } from '../../simulator/replica-site/journal/volume-journal.js';

import { MemoryDisk } from '../property/journal-memory-disk.js';

import { BLOCK_BYTES, DIRECTORY, killedVolume, open, write } from './journal-fixture.js';

const HEADER_BYTES = 64;
const RECORD_BYTES = HEADER_BYTES + BLOCK_BYTES;
/** Five records with their old data. */
const SEGMENT_BYTES = 21_000;
const small = { segmentBytes: SEGMENT_BYTES };

/**
 * Writes `count` records after what is there, each over one of the first four blocks, with its
 * number as content.
 */
async function overwrite(journal: VolumeJournal, count: number): Promise<void> {
  const { n } = journal.durable;
  for (let next = n + 1; next <= n + count; next += 1) journal.append([write(next, next % 4, next)]);
  await journal.whenApplied(n + count);
}

/** The first byte of each of the first four blocks. */
async function firsts(image: Image): Promise<readonly (number | undefined)[]> {
  const bytes = await Promise.all([0, 1, 2, 3].map((block) => image.read(block * BLOCK_BYTES, 1)));
  return bytes.map((one) => one[0]);
}

/** What `firsts` is at a position after `overwrite`. */
function expectedFirsts(position: number): readonly number[] {
  return [0, 1, 2, 3].map((block) => {
    const n = position - ((position - block + 4) % 4);
    return Math.max(0, n);
  });
}

async function expectOpenable(journal: VolumeJournal, positions: readonly number[]): Promise<void> {
  for (const position of positions) {
    const image = await journal.openImage(position);
    expect(await firsts(image)).toEqual(expectedFirsts(position));
    image.close();
  }
}

function undoFiles(disk: MemoryDisk): readonly string[] {
  return (disk.list(DIRECTORY) ?? []).filter((name) => name.startsWith('undo-')).sort();
}

describe('positions that are let go of', () => {
  test('are refused at once and after reopening, and never come back; the others open', async () => {
    const disk = new MemoryDisk();
    const journal = await open(disk, small);
    await overwrite(journal, 60);
    const result = await journal.retain({ positions: [3, 17, 40], everyFrom: 50 });
    expect(result).toMatchObject({ trimPosition: 3, done: true });
    expect(result.freedBytes).toBeGreaterThan(20 * BLOCK_BYTES);
    await journal.close();
    const again = await open(disk, small);
    await expectOpenable(again, [3, 17, 40, 50, 51, 60]);
    await again.retain({ positions: [3, 16, 17, 41, 52], everyFrom: 55 });
    await expectOpenable(again, [3, 17, 52, 55, 60]);
    for (const position of [0, 2, 4, 16, 18, 40, 41, 49, 51, 54]) {
      await expect(again.openImage(position)).rejects.toMatchObject({ code: 'TRIMMED' });
    }
    await again.close();
  });

  test('are those between the asked ones only if nothing asked earlier keeps them', async () => {
    const journal = await open(new MemoryDisk(), small);
    await overwrite(journal, 30);
    await journal.retain({ positions: [5, 10], everyFrom: 20 });
    await expect(journal.retain({ positions: [], everyFrom: 4 })).resolves.toMatchObject({ trimPosition: 5 });
    await expectOpenable(journal, [5, 10, 20, 30]);
    await journal.close();
  });

  test('end within a segment: what follows in it stays whole', async () => {
    // Segments end at different positions, so that some begin before and end after each of these.
    for (let everyFrom = 40; everyFrom < 50; everyFrom += 1) {
      const journal = await open(new MemoryDisk(), small);
      await overwrite(journal, 60);
      await journal.retain({ positions: [3, 17], everyFrom });
      await expectOpenable(
        journal,
        Array.from({ length: 61 - everyFrom }, (_, index) => everyFrom + index),
      );
      await journal.close();
    }
  });

  test('reach to the applied position at most', async () => {
    const journal = await open(new MemoryDisk(), small);
    await overwrite(journal, 8);
    await expect(journal.retain({ positions: [], everyFrom: 1_000 })).resolves.toMatchObject({ trimPosition: 8 });
    expect(journal.stats().undoBytes).toBe(0);
    await overwrite(journal, 4);
    await expectOpenable(journal, [8, 9, 12]);
    await journal.close();
  });

  test('cost nothing in a volume that was never written', async () => {
    const disk = new MemoryDisk();
    const journal = await open(disk);
    await expect(journal.retain({ positions: [0], everyFrom: 5 })).resolves.toEqual({
      trimPosition: 0,
      freedBytes: 0,
      done: true,
    });
    expect(disk.changes).toBe(0);
    await journal.close();
  });

  test('are refused unless they ascend', async () => {
    const journal = await open(new MemoryDisk());
    for (const positions of [[2, 1], [1, 1], [-1], [0.5]]) {
      await expect(journal.retain({ positions, everyFrom: 5 })).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
      await expect(journal.undoBytesAfter(positions)).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
    }
    await journal.close();
  });
});

describe('consolidation', () => {
  test('leaves one image of what changed after an old position, however often it is called', async () => {
    const disk = new MemoryDisk();
    const journal = await open(disk, small);
    await overwrite(journal, 4);
    for (let round = 0; round < 6; round += 1) {
      await overwrite(journal, 30);
      await journal.retain({ positions: [4], everyFrom: journal.applied.position });
      // A file of its own may stand for segments of which nothing is left.
      expect(journal.stats().undoBytes).toBeLessThanOrEqual(2 * HEADER_BYTES + 4 * RECORD_BYTES);
      expect(undoFiles(disk).length).toBeLessThanOrEqual(2);
    }
    await expectOpenable(journal, [4, 184]);
    await journal.close();
  });

  test('leaves alone what would free little', async () => {
    const disk = new MemoryDisk();
    const journal = await open(disk, { segmentBytes: SEGMENT_BYTES });
    await overwrite(journal, 40);
    await journal.retain({ positions: Array.from({ length: 40 }, (_, index) => index), everyFrom: 40 });
    const files = undoFiles(disk);
    const { changes } = disk;
    await journal.retain({ positions: Array.from({ length: 40 }, (_, index) => index), everyFrom: 40 });
    expect(undoFiles(disk)).toEqual(files);
    expect(disk.changes).toBe(changes);
    await journal.close();
  });

  test('never leaves small files side by side, whatever positions are dropped one after the other', async () => {
    const disk = new MemoryDisk();
    const journal = await open(disk, small);
    await overwrite(journal, 200);
    let positions = Array.from({ length: 50 }, (_, index) => index * 4);
    while (positions.length > 1) {
      await journal.retain({ positions, everyFrom: 200 });
      const isSmall = undoFiles(disk).map((name) => (disk.size(`${DIRECTORY}/${name}`) ?? 0) < SEGMENT_BYTES / 2);
      expect(isSmall.some((one, index) => one && isSmall[index + 1] === true)).toBe(false);
      await expectOpenable(journal, [...positions, 200]);
      positions = positions.filter((_, index) => index % 3 !== 1);
    }
    await journal.close();
  });

  test('lets open images go on reading the files it replaces, and removes these when they are closed', async () => {
    const disk = new MemoryDisk();
    const journal = await open(disk, small);
    await overwrite(journal, 40);
    const images = await Promise.all([2, 9, 22].map((position) => journal.openImage(position)));
    await journal.retain({ positions: [4], everyFrom: 40 });
    for (const image of images) expect(await firsts(image)).toEqual(expectedFirsts(image.position));
    expect(journal.stats().undoBytes).toBeGreaterThan(30 * BLOCK_BYTES);
    for (const image of images) image.close();
    expect(journal.stats().undoBytes).toBe(HEADER_BYTES + 4 * RECORD_BYTES);
    await journal.close();
  });

  test('goes on while distribution writes and images are read', async () => {
    const journal = await open(new MemoryDisk(), small);
    await overwrite(journal, 30);
    const writing = (async () => {
      for (let round = 0; round < 20; round += 1) {
        await overwrite(journal, 10);
        await nextTurn();
      }
    })();
    for (let round = 0; round < 20; round += 1) {
      const { position } = journal.applied;
      await journal.retain({ positions: [7, 25], everyFrom: position });
      await expectOpenable(journal, [7, 25, position]);
    }
    await writing;
    await journal.retain({ positions: [7, 25], everyFrom: 230 });
    await expectOpenable(journal, [7, 25, 230]);
    await journal.close();
  });

  test('stops when its caller gives up, and goes on with the next call', async () => {
    const journal = await open(new MemoryDisk(), small);
    await overwrite(journal, 40);
    const reason = new Error('enough');
    const wanted = { positions: [4], everyFrom: 40 };
    await expect(journal.retain(wanted, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const stopped = journal.retain(wanted, controller.signal);
    await nextTurn();
    controller.abort(reason);
    await expect(stopped).rejects.toBe(reason);
    expect(journal.failure).toBeUndefined();
    await expect(journal.retain(wanted)).resolves.toMatchObject({ done: true });
    expect(journal.stats().undoBytes).toBe(HEADER_BYTES + 4 * RECORD_BYTES);
    await journal.close();
  });

  test('stops when the journal is closed', async () => {
    const disk = new MemoryDisk();
    const journal = await open(disk, small);
    await overwrite(journal, 40);
    const stopped = journal.retain({ positions: [4], everyFrom: 40 });
    const closing = journal.close();
    await expect(stopped).rejects.toMatchObject({ code: 'CLOSED' });
    await closing;
    const again = await open(disk, small);
    await expectOpenable(again, [4, 40]);
    await again.close();
  });

  test('reads a bounded amount in one call, and tells that it is not done', { timeout: 60_000 }, async () => {
    const parent = mkdtempSync(join(tmpdir(), 'journal-'));
    const sizeBytes = 8 * 1024 * 1024;
    const options = { directory: join(parent, 'volume'), segmentBytes: 12 * 1024 * 1024, sizeBytes };
    const journal = await openVolumeJournal(options);
    for (let n = 1; n <= 13; n += 1) {
      const data = Buffer.alloc(sizeBytes, n);
      journal.append([{ ...write(n, 0, 0), kind: 'write', offset: 0, data }]);
      await journal.whenApplied(n);
    }
    const wanted = { positions: [1], everyFrom: 13 };
    await expect(journal.retain(wanted)).resolves.toMatchObject({ done: false });
    await expect(journal.retain(wanted)).resolves.toMatchObject({ done: true });
    expect(journal.stats().undoBytes).toBeLessThan(9 * 1024 * 1024);
    expect((await (await journal.openImage(1)).read(5_000_000, 1))[0]).toBe(1);
    await journal.close();
    rmSync(parent, { recursive: true });
  });

  test('of a damaged segment gives up the positions that need it, once, and goes on with the rest', async () => {
    const disk = await killedVolume(60, small);
    const journal = await open(disk, small);
    const [, second = ''] = undoFiles(disk);
    const path = `${DIRECTORY}/${second}`;
    const bytes = disk.contents(path);
    bytes[HEADER_BYTES + 20] = (bytes[HEADER_BYTES + 20] ?? 0) ^ 1;
    for (let round = 0; round < 2; round += 1) {
      await expect(journal.retain({ positions: [1, 30], everyFrom: 60 })).resolves.toMatchObject({ done: true });
    }
    const place = { file: path, offset: HEADER_BYTES };
    expect(journal.damage).toMatchObject([{ kind: 'history', from: 1, ...place }]);
    await expect(journal.openImage(1)).rejects.toMatchObject({ code: 'DAMAGED', place });
    await expectOpenable(journal, [30, 60]);
    // Once no point asks for the position any more, nothing is told of it.
    await journal.retain({ positions: [30], everyFrom: 60 });
    expect(journal.damage).toEqual([]);
    await journal.close();
  });
});

describe('UNDO counted by position', () => {
  test('is exact to the record, before and after consolidation', async () => {
    const journal = await open(new MemoryDisk(), small);
    await overwrite(journal, 44);
    const bare = 4 * HEADER_BYTES;
    await expect(journal.undoBytesAfter([0, 10, 11, 44])).resolves.toEqual([
      bare + 6 * RECORD_BYTES,
      RECORD_BYTES,
      33 * RECORD_BYTES,
      0,
    ]);
    await journal.retain({ positions: [0, 10, 11], everyFrom: 44 });
    await expect(journal.undoBytesAfter([0, 10, 11, 44])).resolves.toEqual([bare, RECORD_BYTES, 4 * RECORD_BYTES, 0]);
    await overwrite(journal, 2);
    await expect(journal.undoBytesAfter([10, 45])).resolves.toEqual([6 * RECORD_BYTES, RECORD_BYTES]);
    await expect(journal.undoBytesAfter([])).resolves.toEqual([]);
    await journal.close();
  });
});
