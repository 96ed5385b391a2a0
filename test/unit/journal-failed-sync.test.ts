// A failed sync is loss: what the system reads back after it, and syncs with success, may never
// have reached the disk.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { NodeFiles } from '../../simulator/replica-site/journal/files/node-files.js';
import { RECORD_HEADER_BYTES } from '../../simulator/replica-site/journal/segments/record-format.js';
import { Replica } from '../../simulator/replica-site/journal/replica/replica.js';
import type { VolumeJournal } from '../../simulator/replica-site/journal/terms/types.js';
import { openVolumeJournal } from '../../simulator/replica-site/journal/volume-journal.js';
import { type DiskProcess, PowerDisk } from '../simulation/power-disk.js';
import { Chance } from '../simulation/virtual-time.js';
import { BLOCK_BYTES, SIZE_BYTES, write } from './journal-fixture.js';

/** What is lost by a failed sync depends on chance: some of it may have reached the disk. */
const SEEDS = Array.from({ length: 20 }, (_, seed) => seed);

/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;
/** Far above what the longest test takes, milliseconds. */
const TIMEOUT_MS = 120_000;

const open = (files: DiskProcess): Promise<VolumeJournal> =>
  openVolumeJournal({ directory: '/site/v1', sizeBytes: SIZE_BYTES, sync: true, files });

/** The last file of DO. */
function doFile(files: DiskProcess): string {
  const names = files.list('/site/v1')?.filter((name) => name.startsWith('do-')) ?? [];
  return join('/site/v1', names.sort().at(-1) ?? '');
}

/** Evicts nearly all clean sectors: each call evicts about half of them, by chance. */
function evictAll(disk: PowerDisk): void {
  for (let times = 0; times < 20; times += 1) disk.evict();
}

/** Evicts all clean sectors before a read of DO, after so many others. @returns tells if it came */
function losingAfter(reads: number, files: DiskProcess, disk: PowerDisk): () => boolean {
  const path = doFile(files);
  const read = files.read.bind(files);
  let left = reads;
  files.read = (from, into, at) => {
    if (from === path) {
      left -= 1;
      if (left === -1) evictAll(disk);
    }
    return read(from, into, at);
  };
  return () => left < 0;
}

interface Failed {
  readonly disk: PowerDisk;
  readonly files: DiskProcess;
}

/** Three records are durable and applied; the sync of the fourth fails. */
async function failedJournal(seed: number): Promise<Failed> {
  const disk = new PowerDisk(new Chance(seed), ['/site']);
  const files = disk.start(() => undefined);
  const journal = await open(files);
  journal.append([write(1, 0, 1), write(2, 1, 2), write(3, 2, 3)]);
  await journal.whenApplied(3);
  disk.failSync('file');
  journal.append([write(4, 1, 4)]);
  await expect.poll(() => journal.failure?.code, { interval: 1 }).toBe('FAILED');
  expect(journal.durable.position).toBe(3);
  await journal.close();
  return { disk, files };
}

/** What a journal calls durable is there after a power cut. */
async function expectVouchedFor(disk: PowerDisk, journal: VolumeJournal): Promise<void> {
  const { position } = journal.durable;
  disk.losePower();
  const again = await open(disk.start(() => undefined));
  expect(again.durable.position).toBe(position);
  await again.whenApplied(position);
  const image = await again.openImage(position);
  expect((await image.read(0, BLOCK_BYTES))[0]).toBe(1);
  expect((await image.read(BLOCK_BYTES, BLOCK_BYTES))[0]).toBe(position === 4 ? 4 : 2);
  await again.close();
}

describe('after a failed sync, what the journal calls durable survives a power cut', () => {
  test('when it is opened again in the same process', async () => {
    for (const seed of SEEDS) {
      const { disk, files } = await failedJournal(seed);
      await expectVouchedFor(disk, await open(files));
    }
  });

  test('when it is opened in a new process, with the page cache of the last one', async () => {
    for (const seed of SEEDS) {
      const { disk } = await failedJournal(seed);
      await expectVouchedFor(disk, await open(disk.start(() => undefined)));
    }
  });

  test('and what the page cache lost meanwhile is cut off, to be sent again', async () => {
    const { disk, files } = await failedJournal(1);
    evictAll(disk);
    const journal = await open(files);
    expect(journal.durable.position).toBe(3);
    await expectVouchedFor(disk, journal);
  });
});

describe('what never reached the disk is no damage:', () => {
  test.each([1, 3, 5])('a group whose last %i bytes are alone in a sector that was lost', async (left) => {
    const disk = new PowerDisk(new Chance(1), ['/site']);
    const files = disk.start(() => undefined);
    const journal = await open(files);
    journal.append([write(1, 0, 1), write(2, 1, 2), write(3, 2, 3)]);
    await journal.whenApplied(3);
    const { id } = journal.lineage;
    disk.failSync('file');
    const before = (files.size(doFile(files)) ?? 0) + RECORD_HEADER_BYTES;
    const reason = 'a'.repeat(SECTOR_BYTES - (before % SECTOR_BYTES) + left);
    journal.append([{ kind: 'initBegin', session: 1, n: 4, epoch: 1, timeMs: 4, sinceMs: 0, reason }]);
    await expect.poll(() => journal.failure?.code, { interval: 1 }).toBe('FAILED');
    await journal.close();
    const size = files.size(doFile(files)) ?? 0;
    expect(size % SECTOR_BYTES).toBe(left);
    files.write(doFile(files), [Buffer.alloc(left)], size - left);
    const again = await open(disk.start(() => undefined));
    expect(again.durable.position).toBe(3);
    expect(again.lineage.id).toBe(id);
    expect(again.damage).toEqual([]);
    await again.close();
  });

  test('a group that the page cache loses between any two reads of an opening', async () => {
    let refused = 0;
    for (const seed of SEEDS) {
      for (let reads = 0; ; reads += 1) {
        const { disk } = await failedJournal(seed);
        const files = disk.start(() => undefined);
        const lost = losingAfter(reads, files, disk);
        const outcome = await open(files).then(
          (journal) => journal,
          (error: unknown) => error,
        );
        if (outcome instanceof Error) {
          expect(outcome).toMatchObject({ code: 'FAILED' });
          refused += 1;
        }
        const journal = outcome instanceof Error ? await open(files) : (outcome as VolumeJournal);
        expect(journal.damage).toEqual([]);
        await expectVouchedFor(disk, journal);
        if (!lost()) break;
      }
    }
    expect(refused).toBeGreaterThan(0);
  });
});

describe('the replica image', () => {
  test('gets zeroes again that a failed sync lost, though they read as zeroes', async () => {
    for (const seed of SEEDS) {
      const disk = new PowerDisk(new Chance(seed), ['/site']);
      const files = disk.start(() => undefined);
      const failing = await open(files);
      failing.append([write(1, 0, 1)]);
      await failing.whenApplied(1);
      await failing.retain({ positions: [1], everyFrom: 1 });
      failing.append([{ kind: 'zeroes', session: 1, n: 2, epoch: 1, timeMs: 2, offset: 0, length: BLOCK_BYTES }]);
      await failing.whenApplied(2);
      disk.failSync('file');
      await expect(failing.retain({ positions: [2], everyFrom: 2 })).rejects.toMatchObject({ code: 'FAILED' });
      await failing.close();
      // Closing in good order deletes DO: there is nothing left to redo from.
      await (await open(files)).close();
      disk.losePower();
      const journal = await open(disk.start(() => undefined));
      const image = await journal.openImage(2);
      expect((await image.read(0, BLOCK_BYTES)).equals(Buffer.alloc(BLOCK_BYTES))).toBe(true);
      await journal.close();
    }
  });

  test('tells all who sync it at the same time that it failed', async () => {
    const disk = new PowerDisk(new Chance(1), ['/site']);
    const replica = new Replica(
      disk.start(() => undefined),
      '/site',
      SIZE_BYTES,
    );
    replica.write(Buffer.alloc(BLOCK_BYTES, 1), 0, []);
    disk.failSync('file');
    const ends = await Promise.allSettled([replica.commit(), replica.commit()]);
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});

test(
  'a kill within consolidation, and a power cut within the next opening, lose no retained position',
  { timeout: TIMEOUT_MS },
  async () => {
    for (const seed of SEEDS.slice(0, 10)) {
      for (let changes = 0; changes < 24; changes += 1) await expectKeptThroughKilledConsolidation(seed, changes);
    }
  },
);

async function expectKeptThroughKilledConsolidation(seed: number, changes: number): Promise<void> {
  const chance = new Chance(seed);
  const disk = new PowerDisk(chance, ['/site']);
  const small = { directory: '/site/v1', sizeBytes: SIZE_BYTES, sync: true, segmentBytes: 9_000 };
  const files = disk.start(() => undefined);
  const killed = await openVolumeJournal({ ...small, files });
  for (let n = 1; n <= 12; n += 1) killed.append([write(n, n % 2, n)]);
  await killed.whenApplied(12);
  files.dieAfter(changes);
  await killed.retain({ positions: [1], everyFrom: 12 }).catch(() => undefined);
  const next = disk.start(() => undefined);
  next.dieAfter(chance.below(8));
  await openVolumeJournal({ ...small, files: next }).catch(() => undefined);
  disk.losePower();
  const journal = await openVolumeJournal({ ...small, files: disk.start(() => undefined) });
  const image = await journal.openImage(1);
  expect((await image.read(BLOCK_BYTES, BLOCK_BYTES))[0]).toBe(1);
  expect((await image.read(0, BLOCK_BYTES))[0]).toBe(0);
  await journal.close();
}

test('what a life without sync left is on stable storage once one with sync has opened it', async () => {
  const disk = new PowerDisk(new Chance(1), ['/site']);
  const careless = await openVolumeJournal({
    directory: '/site/v1',
    sizeBytes: SIZE_BYTES,
    files: disk.start(() => undefined),
  });
  careless.append([write(1, 0, 1), write(2, 1, 2)]);
  await careless.whenApplied(2);
  await open(disk.start(() => undefined));
  disk.losePower();
  const journal = await open(disk.start(() => undefined));
  expect(journal.durable).toMatchObject({ position: 2, session: 1, n: 2 });
  await journal.close();
});

test('a folder whose sync failed stays failed: which of its names are on the disk is not known any more', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'failed-sync-'));
  try {
    const files = new NodeFiles();
    const missing = join(folder, 'missing');
    await expect(files.syncDirectory(missing)).rejects.toThrow('stable storage');
    mkdirSync(missing);
    await expect(files.syncDirectory(missing)).rejects.toThrow('stable storage');
    await expect(files.syncDirectory(folder)).resolves.toBeUndefined();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
