// Each kind of a journal's files on a full or failing disk: what is held up, what goes on, and that
// it heals by itself with nothing lost.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { StalledPart, VolumeJournal } from '../../simulator/replica-site/journal/terms/types.js';
import { MemoryDisk } from '../property/journal-memory-disk.js';
import { type Fault, FaultyFiles, type FileCall } from '../support/faulty-files.js';
import { BLOCK_BYTES, open, SIZE_BYTES, write } from './journal-fixture.js';

const BEFORE = 8;
const AFTER = 20;
const SEGMENT_BYTES = 5 * BLOCK_BYTES;
const BLOCKS = 4;

const DO = /\/do-\d+\.seg$/;
const UNDO = /\/undo-\d+\.seg$/;
const MANIFEST = /\/manifest(\.new)?$/;
const IMAGE = /\/replica\.img$/;
const SUMS = /\/replica\.sum$/;

/** The volume after `n` writes, each of one block in turn. */
function contentsAt(n: number): Buffer {
  const bytes = Buffer.alloc(SIZE_BYTES);
  for (let i = 1; i <= n; i += 1) bytes.fill(i, (i % BLOCKS) * BLOCK_BYTES, ((i % BLOCKS) + 1) * BLOCK_BYTES);
  return bytes;
}

async function expectImages(journal: VolumeJournal, upTo: number): Promise<void> {
  for (let position = 0; position <= upTo; position += 1) {
    const image = await journal.openImage(position);
    expect(contentsAt(position).equals(await image.read(0, SIZE_BYTES)), `position ${position}`).toBe(true);
    image.close();
  }
}

function appendUpTo(journal: VolumeJournal, last: number): void {
  for (let n = journal.durable.n + 1; n <= last; n += 1) journal.append([write(n, n % BLOCKS, n)]);
}

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 8_000, interval: 5 }).toBe(true);
}

interface Case {
  readonly kind: string;
  readonly path: RegExp;
  /** How the name of the file begins. */
  readonly file: string;
  readonly calls: readonly FileCall[];
  readonly part: StalledPart;
}

const CASES: readonly Case[] = [
  { kind: 'a DO segment that is written', path: DO, file: 'do-', calls: ['write'], part: 'intake' },
  {
    kind: 'a DO segment that is written, and what was written in part can not be cut off',
    path: DO,
    file: 'do-',
    calls: ['write', 'truncate', 'remove'],
    part: 'intake',
  },
  { kind: 'a DO segment that is read', path: DO, file: 'do-', calls: ['read'], part: 'distribution' },
  { kind: 'a DO segment that is removed', path: DO, file: 'do-', calls: ['remove'], part: 'distribution' },
  { kind: 'an UNDO segment that is written', path: UNDO, file: 'undo-', calls: ['write'], part: 'distribution' },
  {
    kind: 'an UNDO segment that is written, and what was written in part can not be cut off',
    path: UNDO,
    file: 'undo-',
    calls: ['write', 'truncate', 'remove'],
    part: 'distribution',
  },
  {
    kind: 'the replica image that is written',
    path: IMAGE,
    file: 'replica.img',
    calls: ['write'],
    part: 'distribution',
  },
  { kind: 'the replica image that is read', path: IMAGE, file: 'replica.img', calls: ['read'], part: 'distribution' },
  {
    kind: "the image's checksums that are written",
    path: SUMS,
    file: 'replica.sum',
    calls: ['write'],
    part: 'distribution',
  },
  {
    kind: "the image's checksums that are read",
    path: SUMS,
    file: 'replica.sum',
    calls: ['read'],
    part: 'distribution',
  },
];

const FAULTS: readonly Omit<Fault, 'path' | 'calls'>[] = [
  { code: 'ENOSPC', tornShare: 0.6 },
  { code: 'EDQUOT', tornShare: 0 },
  { code: 'EIO', tornShare: 0.3 },
];

for (const { kind, path, file, calls, part } of CASES) {
  for (const fault of FAULTS) {
    test(`${fault.code} on ${kind} holds up ${part} alone, and heals with nothing lost`, async () => {
      const disk = new FaultyFiles(new MemoryDisk());
      const told: string[] = [];
      const options = {
        files: disk,
        segmentBytes: SEGMENT_BYTES,
        onStalled: (stalled: StalledPart, error: Error) => told.push(`${stalled}: ${error.message}`),
      };
      const journal = await open(new MemoryDisk(), options);
      appendUpTo(journal, BEFORE);
      await journal.whenApplied(BEFORE);

      disk.fault = { ...fault, calls, path };
      for (let n = BEFORE + 1; n <= AFTER && journal.stalls.size === 0; n += 1) {
        journal.append([write(n, n % BLOCKS, n)]);
        await nextTurn();
      }
      await until(() => journal.stalls.has(part));
      expect([...journal.stalls.keys()]).toEqual([part]);
      expect(journal.failure).toBeUndefined();
      expect(told[0]).toContain(`'/volume/${file}`);
      expect(journal.durable.position).toBeGreaterThanOrEqual(BEFORE);
      if (!calls.includes('read')) await expectImages(journal, BEFORE);

      disk.fault = undefined;
      appendUpTo(journal, AFTER);
      await journal.whenApplied(AFTER);
      await until(() => journal.stalls.size === 0);
      await expectImages(journal, AFTER);
      await journal.close();

      const again = await open(new MemoryDisk(), options);
      expect(again.durable).toMatchObject({ position: AFTER, session: 1, n: AFTER });
      await expectImages(again, AFTER);
      await again.close();
    });

    test(`${fault.code} on ${kind}: a process that is killed meanwhile finds all that was durable`, async () => {
      const memory = new MemoryDisk();
      const disk = new FaultyFiles(memory);
      const options = { files: disk, segmentBytes: SEGMENT_BYTES };
      const journal = await open(new MemoryDisk(), options);
      appendUpTo(journal, BEFORE);
      await journal.whenApplied(BEFORE);
      disk.fault = { ...fault, calls, path };
      for (let n = BEFORE + 1; n <= AFTER && journal.stalls.size === 0; n += 1) {
        journal.append([write(n, n % BLOCKS, n)]);
        await nextTurn();
      }
      await until(() => journal.stalls.has(part));
      const { position } = journal.durable;
      disk.kill();
      const again = await open(memory, { segmentBytes: SEGMENT_BYTES });
      expect(again.durable.position).toBe(position);
      await again.whenApplied(position);
      await expectImages(again, position);
      appendUpTo(again, AFTER);
      await again.whenApplied(AFTER);
      await expectImages(again, AFTER);
      await again.close();
    });
  }
}

test.each(FAULTS)(
  '$code while the replica image is overwritten shows no newer byte in an image that is open',
  async (fault) => {
    const disk = new FaultyFiles(new MemoryDisk());
    const journal = await open(new MemoryDisk(), { files: disk, segmentBytes: SEGMENT_BYTES });
    appendUpTo(journal, BEFORE);
    await journal.whenApplied(BEFORE);
    const image = await journal.openImage(BEFORE);
    const isAsBefore = async (): Promise<boolean> => contentsAt(BEFORE).equals(await image.read(0, SIZE_BYTES));
    disk.fault = { ...fault, tornShare: 0.5, calls: ['write'], path: IMAGE };
    appendUpTo(journal, AFTER);
    await until(() => journal.stalls.has('distribution'));
    disk.fault = undefined;
    await journal.whenApplied(AFTER);
    expect(await isAsBefore()).toBe(true);
    image.close();
    await journal.close();
  },
);

test.each(FAULTS)(
  '$code on the manifest holds up a session that begins, and retention; all positions stay openable',
  async (fault) => {
    const disk = new FaultyFiles(new MemoryDisk());
    const options = { files: disk, segmentBytes: SEGMENT_BYTES };
    const journal = await open(new MemoryDisk(), options);
    disk.fault = { ...fault, calls: ['write', 'rename'], path: MANIFEST };
    journal.append([write(1, 1, 1)]);
    await until(() => journal.stalls.has('intake'));
    expect(journal.durable.position).toBe(0);
    disk.fault = undefined;
    appendUpTo(journal, BEFORE);
    await journal.whenApplied(BEFORE);
    expect(journal.stalls.size).toBe(0);

    disk.fault = { ...fault, calls: ['write', 'rename'], path: MANIFEST };
    await expect(journal.retain({ positions: [2, 5], everyFrom: 7 })).rejects.toMatchObject({ code: 'STALLED' });
    expect([...journal.stalls.keys()]).toEqual(['retention']);
    expect(journal.failure).toBeUndefined();
    await expectImages(journal, BEFORE);
    // What needs no new manifest goes on. A session that begins does not.
    appendUpTo(journal, AFTER);
    await until(() => journal.stalls.has('intake'));

    disk.fault = undefined;
    appendUpTo(journal, AFTER);
    await journal.whenApplied(AFTER);
    await expectImages(journal, AFTER);
    expect(await journal.retain({ positions: [2, 5], everyFrom: 7 })).toMatchObject({ trimPosition: 2 });
    expect(journal.stalls.size).toBe(0);
    await expect(journal.openImage(3)).rejects.toMatchObject({ code: 'TRIMMED' });
    await journal.close();
  },
);

test.each(FAULTS)(
  '$code in the middle of consolidation leaves everything readable, frees what it can, and is tried again',
  async (fault) => {
    const memory = new MemoryDisk();
    const disk = new FaultyFiles(memory);
    const options = { files: disk, segmentBytes: SEGMENT_BYTES };
    const journal = await open(new MemoryDisk(), options);
    const last = 60;
    appendUpTo(journal, last);
    await journal.whenApplied(last);
    const before = journal.stats().undoBytes;
    const retained = { positions: [20, 40], everyFrom: last };
    disk.fault = { ...fault, calls: ['write', 'rename'], path: /\.g\d+\.seg(\.new)?$/ };
    await expect(journal.retain(retained)).rejects.toMatchObject({ code: 'STALLED' });
    expect(journal.failure).toBeUndefined();
    // Whole segments went before anything was written anew.
    const between = journal.stats().undoBytes;
    expect(between).toBeLessThan(before);
    const names = memory.list('/volume') ?? [];
    expect(names.filter((name) => name.endsWith('.new'))).toEqual([]);
    for (const position of [20, 40, last]) {
      const image = await journal.openImage(position);
      expect(contentsAt(position).equals(await image.read(0, SIZE_BYTES)), `position ${position}`).toBe(true);
      image.close();
    }
    appendUpTo(journal, last + 1);
    await journal.whenApplied(last + 1);

    disk.fault = undefined;
    for (let done = false; !done;) ({ done } = await journal.retain({ positions: [20, 40], everyFrom: last }));
    expect(journal.stats().undoBytes).toBeLessThan(between);
    for (const position of [20, 40, last]) {
      const image = await journal.openImage(position);
      expect(contentsAt(position).equals(await image.read(0, SIZE_BYTES)), `position ${position}`).toBe(true);
      image.close();
    }
    await journal.close();
  },
);

test('an UNDO segment that can not be deleted stays until it can, and holds up nobody', async () => {
  const memory = new MemoryDisk();
  const disk = new FaultyFiles(memory);
  const journal = await open(new MemoryDisk(), { files: disk, segmentBytes: SEGMENT_BYTES });
  const last = 40;
  appendUpTo(journal, last);
  await journal.whenApplied(last);
  const image = await journal.openImage(2);
  disk.fault = { calls: ['remove'], path: UNDO, code: 'EIO' };
  await journal.retain({ positions: [], everyFrom: last - 1 });
  image.close();
  expect(disk.refusals).toBeGreaterThan(0);
  expect(journal.failure).toBeUndefined();
  const stayed = (memory.list('/volume') ?? []).filter((name) => name.startsWith('undo'));
  disk.fault = undefined;
  await journal.retain({ positions: [], everyFrom: last });
  expect((memory.list('/volume') ?? []).filter((name) => name.startsWith('undo')).length).toBeLessThan(
    stayed.length - 2,
  );
  await journal.close();
});

test('a refused first record of a session leaves no trace of it: an older session goes on, also after a restart', async () => {
  const disk = new FaultyFiles(new MemoryDisk());
  const options = { files: disk, segmentBytes: SEGMENT_BYTES };
  const journal = await open(new MemoryDisk(), options);
  appendUpTo(journal, 3);
  await journal.whenApplied(3);
  disk.fault = { calls: ['write'], path: DO, code: 'ENOSPC', tornShare: 0.5 };
  journal.append([write(1, 1, 1, 2)]);
  await until(() => journal.stalls.has('intake'));
  expect(journal.sessionBase(2)).toBeUndefined();
  disk.fault = undefined;
  appendUpTo(journal, BEFORE);
  await journal.whenApplied(BEFORE);
  await journal.close();
  const again = await open(new MemoryDisk(), options);
  expect(again.durable).toMatchObject({ position: BEFORE, session: 1, n: BEFORE });
  await expectImages(again, BEFORE);
  await again.close();
});

test('a part of a block that a full disk refuses leaves the rest of the block readable for older images', async () => {
  const disk = new FaultyFiles(new MemoryDisk());
  const journal = await open(new MemoryDisk(), { files: disk, segmentBytes: SEGMENT_BYTES });
  appendUpTo(journal, BEFORE);
  await journal.whenApplied(BEFORE);
  disk.fault = { calls: ['write'], path: IMAGE, code: 'ENOSPC', tornShare: 0.5 };
  const part = { kind: 'write', session: 1, epoch: 1, timeMs: 1 } as const;
  journal.append([{ ...part, n: BEFORE + 1, offset: 100, data: Buffer.alloc(2_000, 99) }]);
  await until(() => journal.stalls.has('distribution'));
  disk.fault = { calls: ['write'], path: UNDO, code: 'ENOSPC' };
  await expectImages(journal, BEFORE);
  disk.fault = undefined;
  await journal.whenApplied(BEFORE + 1);
  const image = await journal.openImage(BEFORE + 1);
  const expected = contentsAt(BEFORE);
  expected.fill(99, 100, 2_100);
  expect(expected.equals(await image.read(0, SIZE_BYTES))).toBe(true);
  image.close();
  await expectImages(journal, BEFORE);
  await journal.close();
});

test.each(FAULTS)(
  '$code on the manifest refuses a fork of the lineage, which is as before, also after a restart',
  async (fault) => {
    const disk = new FaultyFiles(new MemoryDisk());
    const options = { files: disk, segmentBytes: SEGMENT_BYTES };
    const journal = await open(new MemoryDisk(), options);
    appendUpTo(journal, BEFORE);
    await journal.whenApplied(BEFORE);
    const { lineage } = journal;
    disk.fault = { ...fault, calls: ['write', 'rename'], path: MANIFEST };
    await expect(journal.fork('a test')).rejects.toMatchObject({ code: 'STALLED' });
    expect(journal.failure).toBeUndefined();
    expect(journal.lineage).toEqual(lineage);
    disk.fault = undefined;
    appendUpTo(journal, AFTER);
    await journal.whenApplied(AFTER);
    expect(journal.stalls.size).toBe(0);
    await journal.close();
    const again = await open(new MemoryDisk(), options);
    expect(again.lineage).toEqual(lineage);
    expect(await again.fork('a test')).toMatchObject({ parent: { id: lineage.id, position: AFTER } });
    await again.close();
  },
);

test('a disk that refuses to read the replica image for long holds distribution up, gives up nothing, and heals', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const disk = new FaultyFiles(new MemoryDisk());
    const journal = await open(new MemoryDisk(), { files: disk, segmentBytes: SEGMENT_BYTES });
    appendUpTo(journal, BEFORE);
    await journal.whenApplied(BEFORE);
    disk.fault = { calls: ['read'], path: IMAGE, code: 'EIO' };
    appendUpTo(journal, BEFORE + 1);
    for (let tries = 0; tries < 12; tries += 1) {
      const { refusals } = disk;
      await vi.waitFor(async () => {
        await vi.advanceTimersByTimeAsync(1_000);
        expect(disk.refusals).toBeGreaterThan(refusals);
      });
    }
    expect(journal.stalls.get('distribution')?.error.message).toMatch(/EIO.*replica\.img/);
    // New writes are taken in meanwhile, and an image says why it can't be read.
    appendUpTo(journal, AFTER);
    await vi.waitFor(() => expect(journal.durable.position).toBe(AFTER));
    const image = await journal.openImage(2);
    await expect(image.read(0, SIZE_BYTES)).rejects.toMatchObject({ code: 'EIO' });
    image.close();
    disk.fault = undefined;
    await vi.advanceTimersByTimeAsync(5_000);
    await journal.whenApplied(AFTER);
    expect(journal.stalls.size).toBe(0);
    expect(journal.damage).toEqual([]);
    await expectImages(journal, AFTER);
    await journal.close();
  } finally {
    vi.useRealTimers();
  }
});
