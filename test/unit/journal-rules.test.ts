// What the journal refuses, and what it costs when nothing happens.
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { NodeFiles } from '../../simulator/replica-site/journal/files/node-files.js';
import { openVolumeJournal } from '../../simulator/replica-site/journal/volume-journal.js';

import { MemoryDisk } from '../property/journal-memory-disk.js';

import { BLOCK_BYTES, SIZE_BYTES, open, write } from './journal-fixture.js';

const coded = (code: string): unknown => expect.objectContaining({ code });

/** More turns of the event loop than it takes to apply a record. */
const TURNS = 50;

/** A disk that asks, before each sync of a file, what to wait for. */
class WatchedDisk extends MemoryDisk {
  readonly #beforeSync: (file: string) => Promise<void> | undefined;

  constructor(beforeSync: (file: string) => Promise<void> | undefined) {
    super();
    this.#beforeSync = beforeSync;
  }

  override async datasync(path: string): Promise<void> {
    await this.#beforeSync(basename(path));
    await super.datasync(path);
  }
}

describe('appending', () => {
  test('refuses a gap, a repeated record and a session seen before, and then takes none of the records', async () => {
    const journal = await open(new MemoryDisk());
    expect(() => journal.append([write(2, 0, 1)])).toThrow(coded('OUT_OF_ORDER'));
    journal.append([write(1, 0, 1)]);
    expect(() => journal.append([write(2, 0, 1), write(4, 0, 1)])).toThrow(coded('OUT_OF_ORDER'));
    expect(() => journal.append([write(1, 0, 1)])).toThrow(coded('OUT_OF_ORDER'));
    expect(journal.append([write(1, 0, 1, 2), write(2, 0, 1, 2)])).toBe(3);
    expect(() => journal.append([write(2, 0, 1)])).toThrow(coded('OUT_OF_ORDER'));
    expect(() => journal.append([write(1, 0, 1)])).toThrow(coded('OUT_OF_ORDER'));
    await journal.whenApplied(3);
    expect(journal.sessionBase(1)).toBe(0);
    expect(journal.sessionBase(2)).toBe(1);
    expect(journal.locate(3)).toEqual({ position: 3, session: 2, n: 2 });
    expect(journal.locate(4)).toBeUndefined();
    await journal.close();
  });

  test('refuses ranges outside the volume', async () => {
    const journal = await open(new MemoryDisk());
    const stamp = { session: 1, n: 1, epoch: 1, timeMs: 1 };
    const outside = { ...stamp, kind: 'zeroes' as const, offset: SIZE_BYTES - 1, length: 2 };
    expect(() => journal.append([outside])).toThrow(coded('OUT_OF_RANGE'));
    expect(() => journal.append([{ ...outside, length: 0 }])).toThrow(coded('OUT_OF_RANGE'));
    expect(() => journal.append([{ ...outside, epoch: -1, length: 1 }])).toThrow(coded('OUT_OF_RANGE'));
    await journal.close();
  });

  test('keeps the checksum that was checked on arrival: bytes that change in memory after it are found', async () => {
    const journal = await open(new MemoryDisk());
    const data = Buffer.alloc(BLOCK_BYTES, 1);
    const dataCrc = crc32(Buffer.alloc(BLOCK_BYTES, 2));
    journal.append([{ kind: 'write', session: 1, n: 1, epoch: 1, timeMs: 1, offset: 0, data, dataCrc }]);
    await expect(journal.whenApplied(1)).rejects.toThrow(/damaged payload/);
    await journal.close().catch(() => undefined);
  });

  test('writes the records of one turn at once', async () => {
    const disk = new MemoryDisk();
    const groups: number[] = [];
    const journal = await open(disk, { onDurable: ({ position }) => groups.push(position) });
    journal.append([write(1, 0, 1)]);
    journal.append([write(2, 1, 1)]);
    journal.append([write(3, 2, 1)]);
    await nextTurn();
    expect(groups).toEqual([3]);
    await journal.close();
  });

  test('counts what is not durable exactly, also while records keep coming', async () => {
    const unwritten: number[] = [];
    const disk = new MemoryDisk();
    const journal = await open(disk, { onDurable: () => unwritten.push(journal.unwrittenBytes) });
    journal.append([write(1, 0, 1), write(2, 1, 1)]);
    const bytes = journal.unwrittenBytes;
    expect(bytes).toBeGreaterThan(2 * BLOCK_BYTES);
    await Promise.resolve();
    journal.append([write(3, 2, 1)]);
    await journal.whenApplied(3);
    expect(unwritten.at(-1)).toBe(0);
    expect(Math.max(0, ...unwritten)).toBeLessThan(bytes);
    expect(journal.undistributedBytes).toBe(0);
    await journal.close();
  });

  test('applies nothing that is written and not yet synced', async () => {
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    let isWritten = (): void => undefined;
    const written = new Promise<void>((resolve) => (isWritten = resolve));
    let syncs = 0;
    const disk = new WatchedDisk((file) => {
      // The first record is being applied until the third is written.
      if (file.startsWith('undo-')) return written;
      if (!file.startsWith('do-')) return undefined;
      syncs += 1;
      if (syncs < 3) {
        journal.append([write(syncs + 1, syncs, syncs + 1)]);
        return undefined;
      }
      isWritten();
      return held;
    });
    const journal = await open(disk, { sync: true });
    journal.append([write(1, 0, 1)]);
    await journal.whenApplied(2);
    for (let turn = 0; turn < TURNS; turn += 1) await nextTurn();
    expect(journal.durable.position).toBe(2);
    expect(journal.applied.position).toBe(2);
    letGo();
    await journal.whenApplied(3);
    await journal.close();
  });

  test('stops for good when the files fail, and tells so once', async () => {
    const disk = new MemoryDisk();
    const failures: unknown[] = [];
    const journal = await open(disk, { onFailed: (error) => failures.push(error) });
    journal.append([write(1, 0, 1)]);
    await journal.whenApplied(1);
    disk.dieAfter(0, 0.5);
    journal.append([write(2, 0, 1)]);
    await expect(journal.whenApplied(2)).rejects.toMatchObject({ code: 'FAILED' });
    expect(failures).toEqual([journal.failure]);
    expect(() => journal.append([write(3, 0, 1)])).toThrow(coded('FAILED'));
    await journal.close();
  });
});

describe('images', () => {
  test('are refused beyond the durable and before the trimmed position', async () => {
    const journal = await open(new MemoryDisk());
    for (let n = 1; n <= 6; n += 1) journal.append([write(n, 0, n)]);
    await expect(journal.openImage(7)).rejects.toMatchObject({ code: 'BEYOND_DURABLE' });
    await journal.whenApplied(6);
    await expect(journal.retain({ positions: [], everyFrom: 3 })).resolves.toMatchObject({
      trimPosition: 3,
      done: true,
    });
    await expect(journal.retain({ positions: [], everyFrom: 2 })).resolves.toMatchObject({
      trimPosition: 3,
      done: true,
    });
    await expect(journal.openImage(2)).rejects.toMatchObject({ code: 'TRIMMED' });
    const image = await journal.openImage(3);
    await expect(image.read(SIZE_BYTES - 1, 2)).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
    expect((await image.read(0, 1))[0]).toBe(3);
    expect(image.changedRanges).toEqual({ count: 1, bytes: BLOCK_BYTES });
    image.close();
    image.close();
    await expect(image.read(0, 1)).rejects.toMatchObject({ code: 'CLOSED' });
    await journal.close();
  });

  test('keep the UNDO they need when it is trimmed, until they are closed', async () => {
    const disk = new MemoryDisk();
    const journal = await open(disk, { segmentBytes: 10_000 });
    for (let n = 1; n <= 20; n += 1) journal.append([write(n, 0, n)]);
    await journal.whenApplied(20);
    const image = await journal.openImage(2);
    const before = journal.stats().undoBytes;
    await journal.retain({ positions: [], everyFrom: 20 });
    expect((await image.read(0, 1))[0]).toBe(2);
    expect(journal.stats().undoBytes).toBeGreaterThan(before / 2);
    image.close();
    expect(journal.stats().undoBytes).toBe(0);
    const latest = await journal.openImage(20);
    expect((await latest.read(0, 1))[0]).toBe(20);
    await journal.close();
  });

  test('wait for their position to be applied, or for the caller to give up', async () => {
    const journal = await open(new MemoryDisk());
    await journal.pauseDistribution();
    journal.append([write(1, 0, 1)]);
    await nextTurn();
    const reason = new Error('enough');
    await expect(journal.openImage(1, AbortSignal.abort(reason))).rejects.toBe(reason);
    const waiting = journal.openImage(1);
    journal.resumeDistribution();
    expect((await (await waiting).read(0, 1))[0]).toBe(1);
    await journal.close();
  });
});

test('closing refuses everything after it, rejects those who wait, and may be repeated', async () => {
  const journal = await open(new MemoryDisk());
  const waiting = journal.whenApplied(1);
  const closing = journal.close();
  await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
  await Promise.all([closing, journal.close()]);
  expect(() => journal.append([write(1, 0, 1)])).toThrow(coded('CLOSED'));
  await expect(journal.openImage(0)).rejects.toMatchObject({ code: 'CLOSED' });
});

test('a folder of a larger volume is refused, since records may lie beyond the end', async () => {
  const disk = new MemoryDisk();
  const journal = await open(disk);
  journal.append([write(1, 0, 1)]);
  await journal.close();
  await expect(open(disk, { sizeBytes: SIZE_BYTES / 2 })).rejects.toMatchObject({ code: 'SIZE_MISMATCH' });
});

describe('on a real file system', () => {
  let parent = '';
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'journal-'));
  });
  afterEach(() => rmSync(parent, { recursive: true }));

  test('a volume never written has no folder', async () => {
    const journal = await openVolumeJournal({ directory: join(parent, 'volume'), sizeBytes: SIZE_BYTES });
    const image = await journal.openImage(0);
    expect((await image.read(0, SIZE_BYTES)).equals(Buffer.alloc(SIZE_BYTES))).toBe(true);
    await journal.close();
    expect(readdirSync(parent)).toEqual([]);
  });

  test('zeroes over holes and over data take no room in the replica image beyond what data took', async () => {
    const sizeBytes = 64 * 1024 * 1024;
    const directory = join(parent, 'volume');
    const journal = await openVolumeJournal({ directory, sizeBytes });
    const stamp = { session: 1, epoch: 1, timeMs: 1 };
    const data = Buffer.alloc(BLOCK_BYTES, 1);
    journal.append([
      { ...stamp, n: 1, kind: 'write', offset: sizeBytes - BLOCK_BYTES, data },
      { ...stamp, n: 2, kind: 'zeroes', offset: 0, length: sizeBytes },
      { ...stamp, n: 3, kind: 'write', offset: 0, data: Buffer.alloc(1024 * 1024) },
    ]);
    await journal.whenApplied(3);
    expect(statSync(join(directory, 'replica.img')).blocks * 512).toBeLessThan(1024 * 1024);
    const image = await journal.openImage(1);
    expect((await image.read(sizeBytes - BLOCK_BYTES, BLOCK_BYTES)).equals(data)).toBe(true);
    await journal.close();
  });

  test('a file that is used stays open when room is needed for another', () => {
    const files = new NodeFiles(2);
    const path = (name: string): string => join(parent, name);
    const first = (name: string): number => {
      const byte = Buffer.alloc(1);
      files.read(path(name), byte, 0);
      return byte[0] ?? 0;
    };
    files.write(path('used'), [Buffer.of(1)], 0);
    files.write(path('idle'), [Buffer.of(2)], 0);
    first('used');
    files.write(path('new'), [Buffer.of(3)], 0);
    // Whoever opens them now finds other files.
    for (const name of ['used', 'idle']) {
      rmSync(path(name));
      writeFileSync(path(name), Buffer.of(9));
    }
    expect([first('used'), first('idle')]).toEqual([1, 9]);
    files.release(parent);
  });

  test.each([false, true])('many volumes share few open files, and find everything again (sync: %s)', async (sync) => {
    const files = new NodeFiles(4);
    const openAll = () =>
      Promise.all(
        [1, 2, 3, 4, 5].map((volume) =>
          openVolumeJournal({ directory: join(parent, String(volume)), sizeBytes: SIZE_BYTES, files, sync }),
        ),
      );
    const journals = await openAll();
    for (let n = 1; n <= 20; n += 1) {
      for (const journal of journals) journal.append([write(n, n % 3, n)]);
      await nextTurn();
    }
    await Promise.all(journals.map((journal) => journal.whenApplied(20)));
    await Promise.all(journals.map((journal) => journal.close()));
    for (const journal of await openAll()) {
      expect(journal.durable).toEqual({ position: 20, session: 1, n: 20, timeMs: 1_020 });
      const image = await journal.openImage(10);
      const firsts = await Promise.all([0, 1, 2].map((block) => image.read(block * BLOCK_BYTES, 1)));
      expect(firsts.map((bytes) => bytes[0])).toEqual([9, 10, 8]);
      await journal.close();
    }
  });
});
