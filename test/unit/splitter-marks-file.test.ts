// Marks on stable storage: which writes wait for them, and what a life that was killed, or whose
// sync failed, leaves to the next.
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DiskCalls, systemCalls } from '../../simulator/disk/disk-calls.js';
import { OpenFile } from '../../simulator/disk/open-file.js';
import { Marks, REGION_BYTES } from '../../simulator/splitter/core/marks.js';
import { loadMarks, MarksFile } from '../../simulator/splitter/files/marks-file.js';
import { PowerDisk } from '../simulation/power-disk.js';
import { Chance } from '../simulation/virtual-time.js';

const SIZE_BYTES = 8 * REGION_BYTES;
const PATH = '/host/v1.marks';
const MIB = 1024 * 1024;
/** 11 regions: the last byte of their bitmap has five bits that belong to none. */
const ODD_BYTES = 11 * REGION_BYTES;
const LARGER_BYTES = 10_000 * REGION_BYTES;
const HUGE_BYTES = 16 * 1024 ** 4 - MIB;

function machine(): PowerDisk {
  return new PowerDisk(new Chance(1), ['/host']);
}

/** The next life's marks, as a start finds them. */
function nextLife(disk: PowerDisk): { readonly marks: Marks; readonly file: MarksFile } {
  const calls = disk.start(() => undefined);
  const { marks, lost } = loadMarks(PATH, SIZE_BYTES, calls.exists(PATH), calls);
  return { marks, file: new MarksFile(PATH, marks, lost !== undefined, calls) };
}

function mark({ marks, file }: ReturnType<typeof nextLife>, region: number): void {
  const place = [region * REGION_BYTES, 512] as const;
  const fresh = marks.begin(...place);
  if (fresh.length > 0 || file.isBehindAt(...place)) file.store(fresh, ...place);
}

const waits = ({ file }: ReturnType<typeof nextLife>, region: number): Promise<void> | undefined =>
  file.whenSynced(region * REGION_BYTES, 512);

describe('a write waits for the marks of its regions', () => {
  it('also while the sync for another write of the region is under way, and no longer afterwards', async () => {
    const life = nextLife(machine());
    mark(life, 2);
    const first = waits(life, 2);
    mark(life, 2);
    const second = waits(life, 2);
    expect(first).toBeInstanceOf(Promise);
    expect(second).toBeInstanceOf(Promise);
    await Promise.all([first, second]);
    expect(waits(life, 2)).toBeUndefined();
  });

  it('for a new sync when a mark is cleared and set again while one is under way', async () => {
    const disk = machine();
    const life = nextLife(disk);
    mark(life, 2);
    const first = waits(life, 2);
    life.marks.confirm(2 * REGION_BYTES, 512);
    life.file.storeCleared(life.marks.clearSettled());
    mark(life, 2);
    await first;
    await waits(life, 2);
    disk.losePower();
    expect(nextLife(disk).marks.isMarked(2)).toBe(true);
  });

  it('not for marks that were cleared', async () => {
    const life = nextLife(machine());
    mark(life, 2);
    mark(life, 3);
    await waits(life, 2);
    life.marks.confirm(3 * REGION_BYTES, 512);
    life.file.storeCleared(life.marks.clearSettled());
    expect(waits(life, 2)).toBeUndefined();
  });

  it('that a killed life set and did not sync', async () => {
    const disk = machine();
    mark(nextLife(disk), 2);
    const life = nextLife(disk);
    expect(life.marks.isMarked(2)).toBe(true);
    mark(life, 2);
    await waits(life, 2);
    disk.losePower();
    expect(nextLife(disk).marks.isMarked(2)).toBe(true);
  });

  it('that an earlier life failed to sync, though they read back', async () => {
    const disk = machine();
    const failing = nextLife(disk);
    mark(failing, 1);
    await waits(failing, 1);
    disk.failSync('file');
    mark(failing, 2);
    await expect(waits(failing, 2)).rejects.toThrow('stable storage');
    const life = nextLife(disk);
    mark(life, 2);
    await waits(life, 2);
    disk.losePower();
    expect(nextLife(disk).marks.isMarked(2)).toBe(true);
  });
});

describe('marks are cleared in two steps', () => {
  it('and a region that is written again in between keeps its mark', () => {
    const marks = new Marks(SIZE_BYTES);
    for (const region of [1, 2]) {
      marks.begin(region * REGION_BYTES, 512);
      marks.confirm(region * REGION_BYTES, 512);
    }
    expect(marks.beginClearing()).toBe(2);
    marks.begin(2 * REGION_BYTES, 512);
    marks.confirm(2 * REGION_BYTES, 512);
    expect(marks.finishClearing()).toEqual([1]);
    expect([marks.isMarked(1), marks.isMarked(2), marks.settled]).toEqual([false, true, 1]);
  });
});

describe("a file's name", () => {
  it('that a killed life made and did not sync is on stable storage after the first sync of the next', async () => {
    const disk = machine();
    new OpenFile(
      '/host/v1.img',
      4_096,
      disk.start(() => undefined),
    ).writeNow(0, Buffer.alloc(512, 1));
    const file = new OpenFile(
      '/host/v1.img',
      4_096,
      disk.start(() => undefined),
    );
    file.writeNow(512, Buffer.alloc(512, 2));
    await file.sync();
    disk.losePower();
    const calls = disk.start(() => undefined);
    expect(calls.exists('/host/v1.img')).toBe(true);
    expect(new OpenFile('/host/v1.img', 4_096, calls).readNow(512, 1)).toEqual(Buffer.alloc(1, 2));
  });
});

describe('a volume that grows', () => {
  /** Regions whose marks fill more than one page. */

  it('has a bitmap of its new size at once, with what was marked before', () => {
    const disk = machine();
    const life = nextLife(disk);
    mark(life, 2);
    life.marks.resize(LARGER_BYTES);
    life.file.resize();
    mark(life, 9_999);
    const calls = disk.start(() => undefined);
    const { marks, lost } = loadMarks(PATH, LARGER_BYTES, true, calls);
    expect(lost).toBeUndefined();
    expect([2, 3, 9_999].map((region) => marks.isMarked(region))).toEqual([true, false, true]);
  });

  it('takes over the bitmap of the former size, which a kill before that left', () => {
    const disk = machine();
    mark(nextLife(disk), 2);
    const calls = disk.start(() => undefined);
    const load = (formerBytes?: number) => loadMarks(PATH, LARGER_BYTES, true, calls, formerBytes);
    expect(load().lost).toMatch(/instead of/);
    const { marks, lost } = load(SIZE_BYTES);
    expect(lost).toBeUndefined();
    expect([marks.marked, marks.dirty, marks.regions]).toEqual([1, 1, 10_000]);
    new MarksFile(PATH, marks, false, calls).resize();
    expect(loadMarks(PATH, LARGER_BYTES, true, calls)).not.toHaveProperty('lost');
  });

  it('doubts its new regions, too, and forgets them when the growth is taken back', () => {
    const marks = new Marks(SIZE_BYTES);
    marks.doubtAll();
    marks.resize(LARGER_BYTES);
    expect(marks.markDirty([marks.regions - 1])).toEqual([9_999]);
    marks.dropLast();
    marks.resize(SIZE_BYTES);
    expect([marks.marked, marks.dirty, marks.doubted]).toEqual([8, 0, 8]);
    expect(marks.doubtAll()).toEqual([]);
  });

  it('counts every mark of a bitmap that was lost at the former size', () => {
    const disk = machine();
    const { marks } = loadMarks(
      PATH,
      ODD_BYTES,
      true,
      disk.start(() => undefined),
    );
    expect([marks.regions, marks.marked]).toEqual([11, 11]);
    marks.resize(LARGER_BYTES);
    expect(marks.isMarked(11)).toBe(false);
  });
});

/** The real calls, with the largest piece that was read or written. */
function measured(): DiskCalls & { readonly largest: { bytes: number } } {
  const largest = { bytes: 0 };
  const noting = (data: Uint8Array): void => {
    largest.bytes = Math.max(largest.bytes, data.length);
  };
  return Object.assign(Object.create(systemCalls) as DiskCalls, {
    largest,
    readNow: (...[fd, data, from, at]: Parameters<DiskCalls['readNow']>) => {
      noting(data);
      return systemCalls.readNow(fd, data, from, at);
    },
    writeNow: (...[fd, data, from, at]: Parameters<DiskCalls['writeNow']>) => {
      noting(data);
      return systemCalls.writeNow(fd, data, from, at);
    },
  });
}

describe('a volume that is doubted as a whole', () => {
  it('has all of its marks in the file, and none beyond its end', () => {
    const disk = machine();
    const calls = disk.start(() => undefined);
    const marks = new Marks(ODD_BYTES);
    const file = new MarksFile(PATH, marks, false, calls);
    expect(marks.doubtAll()).toBe('all');
    expect([marks.marked, marks.doubted, marks.dirty]).toEqual([11, 11, 0]);
    file.storeAll('all');
    expect(file.isBehindAt(0, ODD_BYTES)).toBe(false);
    const next = loadMarks(PATH, ODD_BYTES, true, calls);
    expect([next.lost, next.marks.marked]).toEqual([undefined, 11]);
    marks.resize(LARGER_BYTES);
    expect(marks.isMarked(11)).toBe(false);
  });

  it('compares what is not dirty, and settles what was found the same, unless a write is under way', () => {
    const marks = new Marks(ODD_BYTES);
    marks.abandon(2 * REGION_BYTES, 1);
    marks.begin(4 * REGION_BYTES, 1);
    expect(marks.doubtAll()).toBe('all');
    expect([marks.isDoubted(2), marks.doubted, marks.dirty]).toEqual([false, 10, 1]);
    marks.comparedSame(0, 6);
    expect([marks.nextDoubted(0), marks.settled]).toEqual([6, 4]);
    expect(marks.clearSettled()).toEqual([0, 1, 3, 5]);
    marks.giveUpComparing();
    expect([marks.doubted, marks.dirty]).toEqual([0, 6]);
  });
});

describe('a resync of 16 TiB that are clean', () => {
  it('takes no more memory than its bitmap and is stored in pieces of 1 MiB', () => {
    const folder = mkdtempSync(join(tmpdir(), 'marks-'));
    try {
      const calls = measured();
      const marks = new Marks(HUGE_BYTES);
      const file = new MarksFile(join(folder, 'marks'), marks, false, calls);
      const before = process.memoryUsage().arrayBuffers;
      file.storeAll(marks.doubtAll());
      file.close();
      expect([marks.marked, marks.doubted]).toEqual([marks.regions, marks.regions]);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40 * MIB);
      expect(calls.largest.bytes).toBeLessThanOrEqual(MIB);
      marks.comparedSame(0, marks.regions);
      expect([marks.doubted, marks.settled]).toEqual([0, marks.regions]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('a lost bitmap of 16 TiB', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'marks-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('marks everything, in one bitmap of 32 MiB and pieces of 1 MiB, and so does a damaged one', () => {
    const path = join(folder, 'marks');
    const calls = measured();
    const before = process.memoryUsage().arrayBuffers;
    const { marks, lost } = loadMarks(path, HUGE_BYTES, true, calls);
    new MarksFile(path, marks, lost !== undefined, calls).close();
    expect(lost).toContain('there is none');
    expect([marks.marked, marks.dirty]).toEqual([marks.regions, marks.regions]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40 * MIB);
    const fd = openSync(path, 'r+');
    writeSync(fd, Buffer.from([1]), 0, 1, 20 * MIB);
    closeSync(fd);
    const again = loadMarks(path, HUGE_BYTES, true, calls);
    expect(again.lost).toContain('page 40960 fails its checksum');
    expect(again.marks.dirty).toBe(again.marks.regions);
    expect(calls.largest.bytes).toBeLessThanOrEqual(MIB);
  });
});
