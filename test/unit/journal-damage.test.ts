// Each kind of damage to a journal's files: what it costs, what goes on, and what is told.
import { describe, expect, test } from 'vitest';
import type { Allocated } from '../../simulator/disk/holes.js';
import { GivingUp } from '../../simulator/replica-site/journal/files/unreadable.js';
import { laterGroupFollows } from '../../simulator/replica-site/journal/segments/later-group.js';
import type { Files } from '../../simulator/replica-site/journal/terms/files.js';
import { rebuildVolumeJournal } from '../../simulator/replica-site/journal/rebuild.js';
import type { JournalOptions, NewRecord, VolumeJournal } from '../../simulator/replica-site/journal/terms/types.js';
import { DiskDead, MemoryDisk } from '../property/journal-memory-disk.js';
import { FaultyFiles } from '../support/faulty-files.js';
import { BLOCK_BYTES, DIRECTORY, SIZE_BYTES, killedVolume, open, write } from './journal-fixture.js';

const COUNT = 12;
const HEADER_BYTES = 64;
const RECORD_BYTES = HEADER_BYTES + BLOCK_BYTES;
/** Four writes over untouched blocks leave UNDO without payload. */
const BARE_UNDO_BYTES = HEADER_BYTES + 4 * HEADER_BYTES;
const SMALL = { segmentBytes: 20_000 };
const path = (name: string): string => `${DIRECTORY}/${name}`;
const DO_FILE = path('do-0000000001.seg');
const UNDO_FILE = path('undo-0000000001.seg');

/** A disk that tells which blocks of a file were never written. */
class HoleyDisk extends MemoryDisk {
  partNow(file: string, at: number, length: number): Allocated {
    const within = Math.min(length, BLOCK_BYTES);
    return {
      length: within,
      isHole: !this.contents(file)
        .subarray(at, at + within)
        .some((byte) => byte !== 0),
    };
  }
}

function flip(disk: MemoryDisk, file: string, at: number): void {
  const bytes = disk.contents(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
}

/** What block `block` of `killedVolume` holds at a position: the number of the last write to it. */
function fillAt(position: number, block: number): number {
  for (let n = position; n > 0; n -= 1) if (n % 4 === block) return n;
  return 0;
}

async function expectExact(journal: VolumeJournal, positions: readonly number[]): Promise<void> {
  for (const position of positions) {
    const image = await journal.openImage(position);
    const bytes = await image.read(0, 4 * BLOCK_BYTES);
    for (let block = 0; block < 4; block += 1) {
      const expected = Buffer.alloc(BLOCK_BYTES, fillAt(position, block));
      expect(bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES).equals(expected)).toBe(true);
    }
    image.close();
  }
}

async function expectDamaged(journal: VolumeJournal, positions: readonly number[]): Promise<void> {
  for (const position of positions) {
    await expect(journal.openImage(position)).rejects.toMatchObject({ code: 'DAMAGED' });
    expect(journal.damageAt(position)).toBeDefined();
  }
}

/** New writes are taken in, distributed, and exact. */
async function expectGoesOn(journal: VolumeJournal): Promise<void> {
  const { position, session, n } = journal.durable;
  const next = session === 0 ? { session: 2, n: 1 } : { session, n: n + 1 };
  expect(journal.append([write(next.n, 5, 99, next.session)])).toBe(position + 1);
  await journal.whenApplied(position + 1);
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('DO that is applied', () => {
  test.each([
    ['the header of a segment', 20],
    ['the header of a record', HEADER_BYTES + 20],
    ['the payload of a record', 2 * HEADER_BYTES + 100],
  ])('costs nothing where newer writes cover it: %s', async (_, at) => {
    const disk = await killedVolume(COUNT);
    flip(disk, DO_FILE, at);
    const journal = await open(disk);
    expect(journal.damage).toEqual([]);
    expect(journal.lineage.parent).toBeUndefined();
    await expectExact(journal, range(0, COUNT));
    await expectGoesOn(journal);
    await journal.close();
  });

  test('leaves its blocks in doubt where no newer write covers it, until they are overwritten', async () => {
    const disk = await killedVolume(COUNT);
    const before = await lineageOf(disk);
    flip(disk, DO_FILE, HEADER_BYTES + (COUNT - 1) * RECORD_BYTES + HEADER_BYTES + 5);
    const journal = await open(disk);
    const ranges = [{ offset: 0, length: BLOCK_BYTES }];
    expect(journal.damage).toMatchObject([{ kind: 'replica', ranges }]);
    expect(journal.toResend).toEqual(ranges);
    // Whoever attaches finds another lineage than it confirmed, and compares.
    const { parent } = journal.lineage;
    expect(parent).toMatchObject({ id: before, position: COUNT });
    expect(parent?.reason).toContain(`${BLOCK_BYTES} bytes of the replica image fail their checksum`);
    await expectExact(journal, range(0, COUNT - 1));
    const image = await journal.openImage(COUNT);
    await expect(image.read(0, 1)).rejects.toMatchObject({ code: 'CORRUPT' });
    expect((await image.read(BLOCK_BYTES, 1))[0]).toBe(fillAt(COUNT, 1));
    journal.append([write(COUNT + 1, 0, 77)]);
    await journal.whenApplied(COUNT + 1);
    expect(journal.toResend).toBeUndefined();
    expect((await (await journal.openImage(COUNT + 1)).read(0, 1))[0]).toBe(77);
    await journal.close();
  });
});

/** Three writes are applied and three wait in DO when the process is killed. */
async function waitingVolume(): Promise<MemoryDisk> {
  const disk = await killedVolume(3);
  const journal = await open(disk);
  await journal.pauseDistribution();
  journal.append(range(4, 6).map((n) => write(n, n % 4, n)));
  await expect.poll(() => journal.durable.position).toBe(6);
  disk.dieAfter(-1, 0);
  disk.revive();
  return disk;
}

/** The n-th of the records that wait, in the segment that has them all. */
const waitingAt = (n: number): number => HEADER_BYTES + (n - 1) * RECORD_BYTES;

describe('DO that is not applied yet', () => {
  async function expectMended(disk: MemoryDisk, journal: VolumeJournal): Promise<void> {
    const { lineage } = journal;
    const offset = 0;
    const stamp = { session: 2, epoch: 1, timeMs: 9 };
    const whole = Buffer.concat(range(0, 15).map((block) => Buffer.alloc(BLOCK_BYTES, fillAt(6, block))));
    const records: NewRecord[] = [
      { ...stamp, n: 1, kind: 'initBegin', sinceMs: 1, reason: 'lost' },
      { ...stamp, n: 2, kind: 'write', offset, data: whole },
      { ...stamp, n: 3, kind: 'initEnd' },
    ];
    const last = journal.append(records);
    await journal.whenApplied(last);
    await expectDamaged(journal, range(4, last - 1));
    expect(journal.toResend).toBeUndefined();
    expect((await (await journal.openImage(last)).read(0, whole.length)).equals(whole)).toBe(true);
    disk.dieAfter(-1, 0);
    disk.revive();
    const again = await open(disk);
    expect(again.lineage).toEqual(lineage);
    await expectExact(again, range(0, 3));
    await expectDamaged(again, range(4, last - 1));
    expect((await (await again.openImage(last)).read(0, whole.length)).equals(whole)).toBe(true);
    await again.close();
  }

  test('is lost from a damaged payload on: a new lineage, and what was lost is known', async () => {
    const disk = await waitingVolume();
    const before = await lineageOf(disk);
    flip(disk, DO_FILE, waitingAt(5) + HEADER_BYTES + 3);
    const journal = await open(disk);
    expect(journal.lineage.parent).toMatchObject({ id: before, position: 4 });
    expect(journal.durable).toMatchObject({ position: 6, session: 0, n: 0 });
    expect(journal.toResend).toEqual([5, 6].map((n) => ({ offset: (n % 4) * BLOCK_BYTES, length: BLOCK_BYTES })));
    await expectExact(journal, range(0, 4));
    await expectDamaged(journal, [5, 6]);
    expect(range(3, 7).map((position) => journal.soundPosition(position))).toEqual([3, 4, 4, 4, 4]);
    const evenInHole = await journal.openImage(6, undefined, true);
    expect((await evenInHole.read(BLOCK_BYTES, 1))[0]).toBe(fillAt(4, 1));
    await journal.close();
  });

  test('is lost from a damaged header on: all of the volume has to be sent again', async () => {
    const disk = await waitingVolume();
    flip(disk, DO_FILE, waitingAt(4) + 20);
    const journal = await open(disk);
    expect(journal.lineage.parent).toMatchObject({ position: 3 });
    expect(journal.toResend).toBe('all');
    await expectExact(journal, range(0, 3));
    await expectDamaged(journal, range(4, 6));
    expect(disk.list(DIRECTORY)).toEqual(expect.not.arrayContaining(['do-0000000001.seg']));
    await expectMended(disk, journal);
  });

  test('is missed at the end of the file by whoever remembers a position', async () => {
    const disk = await waitingVolume();
    disk.truncate(DO_FILE, waitingAt(5));
    const unaware = await open(disk);
    expect(unaware.durable.position).toBe(4);
    expect(unaware.lineage.parent).toBeUndefined();
    await unaware.close();
    const journal = await open(disk, { knownPosition: 6 });
    expect(journal.lineage.parent).toMatchObject({ position: 4 });
    expect(journal.durable.position).toBe(6);
    await expectExact(journal, range(0, 4));
    await expectDamaged(journal, [5, 6]);
    await journal.close();
  });

  test('is lost once only, wherever a kill interrupts the opening that finds it', async () => {
    for (let calls = 0; ; calls += 1) {
      const disk = await waitingVolume();
      flip(disk, DO_FILE, waitingAt(4) + 20);
      disk.dieAfter(calls, 0.5);
      const interrupted = await open(disk).catch((error: unknown) => error);
      const died = interrupted instanceof DiskDead || disk.dead;
      if (!died) break;
      disk.revive();
      const journal = await open(disk);
      expect(journal.lineage.parent).toMatchObject({ position: 3 });
      expect(journal.lineage.parent?.reason).toBe(`records 4 to ${journal.durable.position} are lost`);
      expect(journal.toResend).toBe('all');
      await expectExact(journal, range(0, 3));
      await journal.close();
    }
  });
});

async function lineageOf(disk: MemoryDisk): Promise<string> {
  const [text = ''] = disk.contents(path('manifest')).toString().split('\n');
  const { lineage } = JSON.parse(text) as { readonly lineage: { readonly id: string } };
  return Promise.resolve(lineage.id);
}

describe('UNDO', () => {
  const newest = BARE_UNDO_BYTES + 2 * RECORD_BYTES;

  test('with a damaged payload in its newest segment costs the positions that need these bytes', async () => {
    const disk = await killedVolume(COUNT);
    flip(disk, UNDO_FILE, newest + HEADER_BYTES + 7);
    const journal = await open(disk);
    const bytes = { offset: 3 * BLOCK_BYTES, length: BLOCK_BYTES };
    expect(journal.damage).toMatchObject([{ kind: 'history', from: 3, to: 6, bytes, file: UNDO_FILE, offset: newest }]);
    await expectExact(journal, [0, 1, 2, ...range(7, COUNT)]);
    const image = await journal.openImage(5);
    await expect(image.read(3 * BLOCK_BYTES, 1)).rejects.toMatchObject({ code: 'CORRUPT' });
    expect((await image.read(0, 1))[0]).toBe(fillAt(5, 0));
    await expectGoesOn(journal);
    await journal.close();
  });

  test('with a damaged record header in its newest segment costs all positions before it', async () => {
    const disk = await killedVolume(COUNT);
    flip(disk, UNDO_FILE, newest + 20);
    const journal = await open(disk);
    expect(journal.damage).toMatchObject([{ kind: 'history', from: 0, to: 7, file: UNDO_FILE, offset: newest }]);
    await expectDamaged(journal, range(0, 7));
    await expectExact(journal, range(8, COUNT));
    // Nobody knows any more what was written before it, so nobody is told.
    expect(journal.trimPosition).toBe(8);
    await expect(journal.changedAfter(7)).resolves.toBeUndefined();
    await expectGoesOn(journal);
    disk.dieAfter(-1, 0);
    disk.revive();
    const again = await open(disk);
    expect(again.trimPosition).toBe(8);
    expect(again.lineage.parent).toBeUndefined();
    await expectDamaged(again, range(0, 7));
    await expectExact(again, range(8, COUNT));
    await again.close();
  });

  test.each([false, true])('that lost its end never takes newer data for old (sync: %s)', async (sync) => {
    for (const length of [HEADER_BYTES, newest, newest + 30, newest + RECORD_BYTES + 100]) {
      const disk = await killedVolume(COUNT, { sync });
      disk.truncate(UNDO_FILE, length);
      const journal = await open(disk, { sync });
      expect(journal.damage).toMatchObject([{ kind: 'history', from: 0, to: COUNT - 1 }]);
      await expectDamaged(journal, range(0, COUNT - 1));
      await expectExact(journal, [COUNT]);
      await expectGoesOn(journal);
      await journal.close();
    }
  });

  test('in an old segment is found by the image that needs it, and is told from then on', async () => {
    const disk = await killedVolume(COUNT, SMALL);
    flip(disk, UNDO_FILE, BARE_UNDO_BYTES + HEADER_BYTES + 7);
    const journal = await open(disk, SMALL);
    const image = await journal.openImage(4);
    await expect(image.read(0, SIZE_BYTES)).rejects.toMatchObject({ code: 'CORRUPT', place: { file: UNDO_FILE } });
    const bytes = { offset: BLOCK_BYTES, length: BLOCK_BYTES };
    expect(journal.damage).toMatchObject([{ kind: 'history', from: 1, to: 4, bytes, file: UNDO_FILE }]);
    expect(journal.damageAt(4)).toBeDefined();
    await expectExact(journal, [0, ...range(5, COUNT)]);
    await expectGoesOn(journal);
    await journal.close();
  });

  test('with a damaged record header in an old segment costs what is before it, and the rest stays', async () => {
    const disk = await killedVolume(COUNT, SMALL);
    flip(disk, UNDO_FILE, BARE_UNDO_BYTES + 20);
    const journal = await open(disk, SMALL);
    await expectDamaged(journal, range(0, 5));
    await expectExact(journal, range(6, COUNT));
    await expectGoesOn(journal);
    await journal.close();
  });

  test('with a damaged header of an old segment costs nothing', async () => {
    for (const file of ['undo-0000000001.seg', 'undo-0000000002.seg']) {
      const disk = await killedVolume(COUNT, SMALL);
      flip(disk, path(file), 30);
      const journal = await open(disk, SMALL);
      expect(journal.damage).toEqual([]);
      await expectExact(journal, range(0, COUNT));
      await expectGoesOn(journal);
      await journal.close();
    }
  });

  test.each([1, 2])('without its segment %i keeps what is after it', async (missing) => {
    const disk = await killedVolume(COUNT, SMALL);
    const names = disk.list(DIRECTORY)?.filter((name) => name.startsWith('undo-')) ?? [];
    expect(names).toHaveLength(2);
    disk.remove(path(`undo-000000000${missing}.seg`));
    const journal = await open(disk, SMALL);
    const [damage] = journal.damage;
    expect(damage).toMatchObject({ kind: 'history', from: 0 });
    const to = damage?.kind === 'history' ? damage.to : 0;
    await expectDamaged(journal, range(0, to));
    await expectExact(journal, range(to + 1, COUNT));
    await expectGoesOn(journal);
    await journal.close();
  });
});

describe('the manifest', () => {
  test.each(['manifest', 'manifest.copy'])('has a copy: %s may be damaged or missing', async (name) => {
    for (const harm of ['flip', 'remove'] as const) {
      const disk = await killedVolume(COUNT);
      if (harm === 'flip') flip(disk, path(name), 5);
      else disk.remove(path(name));
      const journal = await open(disk);
      expect(journal.damage).toEqual([]);
      await expectExact(journal, range(0, COUNT));
      await journal.close();
      expect(disk.contents(path('manifest')).equals(disk.contents(path('manifest.copy')))).toBe(true);
    }
  });

  test('lost twice ends the lineage: old files go aside, the replica stays, all has to be sent again', async () => {
    const disk = await killedVolume(COUNT);
    disk.remove(path('manifest'));
    flip(disk, path('manifest.copy'), 5);
    const journal = await open(disk);
    expect(journal.lineage.parent).toBeUndefined();
    expect(journal.durable.position).toBe(COUNT);
    expect(journal.toResend).toBe('all');
    await expectDamaged(journal, range(0, COUNT));
    const replica = await journal.openReplica();
    expect((await replica.read(0, 1))[0]).toBe(fillAt(COUNT, 0));
    await journal.close();
    const again = await open(disk);
    expect(again.lineage).toEqual(journal.lineage);
    expect(again.toResend).toBe('all');
    await again.close();
  });
});

test('a folder that is gone is no new volume for whoever remembers a position', async () => {
  const journal = await open(new MemoryDisk(), { knownPosition: 40 });
  expect(journal.durable.position).toBe(40);
  expect(journal.toResend).toBe('all');
  await expectDamaged(journal, [0, 20, 40]);
  await journal.close();
});

describe('the replica image', () => {
  test.each([['replica.img'], ['replica.sum'], ['replica.img', 'replica.sum']])(
    'and its checksums: what is lost of them is noticed (%s, %s)',
    async (...names) => {
      const disk = await closedVolume();
      for (const name of names) if (name !== undefined) disk.remove(path(name));
      const journal = await open(disk);
      const image = await journal.openImage(COUNT);
      for (const block of range(0, 3)) {
        await expect(image.read(block * BLOCK_BYTES, 1)).rejects.toMatchObject({ code: 'CORRUPT' });
      }
      expect(journal.damage).toMatchObject([{ kind: 'replica' }]);
      const whole = Buffer.alloc(SIZE_BYTES, 5);
      journal.append([{ kind: 'write', session: 1, n: COUNT + 1, epoch: 1, timeMs: 1, offset: 0, data: whole }]);
      await journal.whenApplied(COUNT + 1);
      expect(journal.toResend).toBeUndefined();
      expect((await (await journal.openImage(COUNT + 1)).read(0, SIZE_BYTES)).equals(whole)).toBe(true);
      await journal.close();
    },
  );

  test('that lost its end, and the end of its checksums, is refused there', async () => {
    const disk = await closedVolume();
    disk.truncate(path('replica.img'), 2 * BLOCK_BYTES);
    disk.truncate(path('replica.sum'), 8);
    const journal = await open(disk);
    const image = await journal.openImage(COUNT);
    await expect(image.read(3 * BLOCK_BYTES, 1)).rejects.toMatchObject({ code: 'CORRUPT' });
    expect((await image.read(BLOCK_BYTES, 1))[0]).toBe(fillAt(COUNT, 1));
    await journal.close();
  });
});

async function closedVolume(): Promise<MemoryDisk> {
  const disk = await killedVolume(COUNT);
  await (await open(disk)).close();
  return disk;
}

/** Refuses to read what lies in a part of a file, as a disk with bad sectors does. */
function unreadable(disk: MemoryDisk, file: string, from: number): Files {
  const refuse = (name: string, into: Uint8Array, at: number): void => {
    if (name === file && at + into.length > from)
      throw Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'read' });
  };
  return new Proxy<Files>(disk, {
    get(target, key) {
      if (key === 'read') {
        return (name: string, into: Uint8Array, at: number): number => {
          refuse(name, into, at);
          return target.read(name, into, at);
        };
      }
      if (key === 'readLater') {
        return async (name: string, into: Uint8Array, at: number): Promise<number> => {
          refuse(name, into, at);
          return target.readLater(name, into, at);
        };
      }
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

const UNREADABLE = [
  ['manifest', 0],
  ['undo-0000000001.seg', BARE_UNDO_BYTES + 10],
  ['undo-0000000002.seg', HEADER_BYTES + 10],
  ['replica.img', 0],
  ['replica.sum', 0],
] as const;

test.each(UNREADABLE)(
  'a disk that refuses to read %s gives up nothing: all is there once it reads again',
  async (name, from) => {
    const disk = await killedVolume(COUNT, SMALL);
    const refused: unknown = await open(disk, { ...SMALL, files: unreadable(disk, path(name), from) }).catch(
      (error: unknown) => error,
    );
    if (refused instanceof Error) expect(refused).toMatchObject({ code: 'EIO' });
    else await (refused as VolumeJournal).close();
    const journal = await open(disk, SMALL);
    expect(journal.damage).toEqual([]);
    expect(journal.lineage.parent).toBeUndefined();
    await expectExact(journal, range(0, COUNT));
    await journal.close();
  },
);

test.each(UNREADABLE)(
  'what a disk refuses to read of %s is damage like any other for a rebuild',
  async (name, from) => {
    const disk = await killedVolume(COUNT, SMALL);
    const files = unreadable(disk, path(name), from);
    const journal = await rebuildVolumeJournal({ directory: DIRECTORY, sizeBytes: SIZE_BYTES, ...SMALL, files });
    for (const position of range(0, COUNT)) {
      const image = await journal.openImage(position).catch((error: unknown) => error);
      if (image instanceof Error) expect(image).toMatchObject({ code: 'DAMAGED' });
    }
    await expectGoesOn(journal);
    await journal.close();
  },
);

test('an image file that was cut short, or is gone, is found at the opening: its blocks are in doubt, and nothing else', async () => {
  for (const left of [undefined, BLOCK_BYTES + 100]) {
    const disk = await closedVolume();
    const before = await lineageOf(disk);
    if (left === undefined) disk.remove(path('replica.img'));
    else disk.truncate(path('replica.img'), left);
    const journal = await open(disk);
    const offset = left === undefined ? 0 : BLOCK_BYTES;
    expect(journal.toResend).toEqual([{ offset, length: 4 * BLOCK_BYTES - offset }]);
    expect(journal.lineage.parent).toMatchObject({ id: before, position: COUNT });
    for (let n = COUNT + 1; n <= COUNT + 4; n += 1) journal.append([write(n, n % 4, n)]);
    await journal.whenApplied(COUNT + 4);
    expect(journal.toResend).toBeUndefined();
    await expectExact(journal, [COUNT + 4]);
    await journal.close();
  }
});

test('damage that a read finds is told once, stored, and found again by the next opening', async () => {
  const disk = await closedVolume();
  let told = 0;
  const journal = await open(disk, { onReplicaDamaged: () => (told += 1) });
  expect(journal.damage).toEqual([]);
  flip(disk, path('replica.img'), 2 * BLOCK_BYTES + 9);
  const image = await journal.openImage(COUNT);
  for (const _ of [1, 2]) await expect(image.read(0, SIZE_BYTES)).rejects.toMatchObject({ code: 'CORRUPT' });
  await expect.poll(() => told).toBe(1);
  expect(journal.toResend).toEqual([{ offset: 2 * BLOCK_BYTES, length: BLOCK_BYTES }]);
  // The process is killed: it stores nothing more.
  disk.dieAfter(-1, 0);
  disk.revive();
  const next = await open(disk);
  expect(next.toResend).toEqual([{ offset: 2 * BLOCK_BYTES, length: BLOCK_BYTES }]);
  expect(next.lineage.parent?.reason).toContain('fail their checksum');
  await next.close();
});

describe('a rebuild', () => {
  const rebuild = (disk: MemoryDisk, options: Partial<JournalOptions> = {}) =>
    rebuildVolumeJournal({ directory: DIRECTORY, sizeBytes: SIZE_BYTES, files: disk, ...SMALL, ...options });

  test('of a sound journal keeps all of it, and begins a new lineage', async () => {
    const disk = await killedVolume(COUNT, SMALL);
    const before = await lineageOf(disk);
    const journal = await rebuild(disk);
    expect(journal.lineage.parent).toMatchObject({ id: before, position: COUNT, reason: 'the journal was rebuilt' });
    expect(journal.damage).toEqual([]);
    expect(journal.toResend).toBeUndefined();
    await expectExact(journal, range(0, COUNT));
    await expectGoesOn(journal);
    await journal.close();
  });

  test('tells holes from data afterwards, so that a comparison reads only what is stored', async () => {
    const disk = new HoleyDisk();
    const before = await open(disk);
    before.append([write(1, 0, 7), write(2, 5, 8)]);
    await before.whenApplied(2);
    await before.close();
    const journal = await rebuild(disk);
    const image = await journal.openReplica();
    expect(await image.partFrom(2 * BLOCK_BYTES, BLOCK_BYTES)).toEqual({ length: BLOCK_BYTES, isHole: true });
    expect(await image.partFrom(5 * BLOCK_BYTES, BLOCK_BYTES)).toMatchObject({ isHole: false });
    image.close();
    await journal.close();
  });

  test('takes a tail that the disk refuses to read for damage, not for one that was never finished', async () => {
    const disk = await killedVolume(COUNT, SMALL);
    const files = new FaultyFiles(disk);
    files.fault = { calls: ['read'], path: /undo-/, code: 'EIO' };
    const bytes = disk.size(UNDO_FILE) ?? 0;
    expect(() => laterGroupFollows(files, UNDO_FILE, HEADER_BYTES, bytes)).toThrow('EIO');
    expect(laterGroupFollows(new GivingUp().of(files), UNDO_FILE, HEADER_BYTES, bytes)).toBe(true);
  });

  test('begins one lineage only, whatever it finds', async () => {
    const disk = await killedVolume(COUNT, SMALL);
    const before = await lineageOf(disk);
    disk.remove(path('manifest'));
    disk.remove(path('manifest.copy'));
    const lost = await rebuild(disk);
    expect(lost.isLineageUnused).toBe(true);
    expect(lost.lineage.parent?.reason).not.toBe('the journal was rebuilt');
    await expectGoesOn(lost);
    expect(lost.isLineageUnused).toBe(false);
    expect(lost.lineage.id).not.toBe(before);
    await lost.close();
  });

  test('finds all damage, wherever it is, and notes it', async () => {
    const disk = await killedVolume(COUNT, SMALL);
    flip(disk, UNDO_FILE, BARE_UNDO_BYTES + HEADER_BYTES + 7);
    await (await open(disk, SMALL)).close();
    flip(disk, path('replica.img'), 2 * BLOCK_BYTES + 9);
    const journal = await rebuild(disk);
    expect(journal.damage).toMatchObject([
      { kind: 'history', from: 1, to: 4, accepted: true },
      { kind: 'replica', ranges: [{ offset: 2 * BLOCK_BYTES, length: BLOCK_BYTES }] },
    ]);
    expect(journal.toResend).toEqual([{ offset: 2 * BLOCK_BYTES, length: BLOCK_BYTES }]);
    await journal.close();
  });

  test('makes a folder usable that can not be opened at all, and deletes nothing', async () => {
    const disk = await killedVolume(COUNT, SMALL);
    const names = (disk.list(DIRECTORY) ?? []).filter((name) => !name.startsWith('replica.'));
    const before = new Map(names.map((name) => [name, Buffer.from(disk.contents(path(name)))]));
    expect(before.size).toBeGreaterThan(3);
    let isBroken = true;
    const folders: string[] = [];
    const files = new Proxy<Files>(disk, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (key === 'makeDirectory')
          return (name: string): void => {
            folders.push(name);
            disk.makeDirectory(name);
          };
        if (key !== 'size') return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        return (name: string): number | undefined => {
          const size = disk.size(name);
          if (isBroken && size !== undefined && name.startsWith(path('undo-'))) {
            isBroken = false;
            throw new Error('no such device');
          }
          return size;
        };
      },
    });
    const journal = await rebuild(disk, { files });
    expect(journal.toResend).toBe('all');
    await expectGoesOn(journal);
    await journal.close();
    const [aside = ''] = folders.filter((folder) => folder !== DIRECTORY);
    expect(disk.list(aside)).toEqual([...before.keys()]);
    for (const [name, bytes] of before) expect(disk.contents(`${aside}/${name}`).equals(bytes), name).toBe(true);
  });

  test('may be killed at any step and repeated', async () => {
    for (let calls = 0; ; calls += 1) {
      const disk = await killedVolume(COUNT, SMALL);
      flip(disk, UNDO_FILE, BARE_UNDO_BYTES + 20);
      disk.dieAfter(calls, 0.5);
      const died = await rebuild(disk).then(
        () => disk.dead,
        () => true,
      );
      if (!died) break;
      disk.revive();
      const journal = await rebuild(disk);
      await expectDamaged(journal, range(0, 5));
      await expectExact(journal, range(6, COUNT));
      expect(journal.lineage.parent).toBeDefined();
      await expectGoesOn(journal);
      await journal.close();
    }
  });
});
