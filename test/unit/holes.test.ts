// Holes of real files: found, made, and left alone where they can't be.
import { closeSync, fstatSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DiskCalls, systemCalls } from '../../simulator/disk/disk-calls.js';
import { systemHoles } from '../../simulator/disk/holes.js';
import { SourceFile } from '../../simulator/splitter/files/source-file.js';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** Bytes of one of `fstat`'s blocks. */
const SECTOR_BYTES = 512;

let folder: string;
let path: string;
let fd: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holes-'));
  path = join(folder, 'disk.img');
  fd = openSync(path, 'wx+');
});
afterEach(() => {
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

function storedBytes(): number {
  return fstatSync(fd).blocks * SECTOR_BYTES;
}

function fill(offset: number, length: number): void {
  writeSync(fd, Buffer.alloc(length, 7), 0, length, offset);
}

test('data and holes of a large sparse file are told apart', async () => {
  ftruncateSync(fd, 64 * GIB);
  fill(5 * GIB, MIB);
  const places = [
    { at: 0, length: 64 * GIB, part: { length: 5 * GIB, isHole: true } },
    { at: MIB, length: MIB, part: { length: MIB, isHole: true } },
    { at: 5 * GIB + 10, length: GIB, part: { length: MIB - 10, isHole: false } },
    { at: 5 * GIB + MIB, length: 64 * GIB, part: { length: 64 * GIB, isHole: true } },
  ];
  for (const { at, length, part } of places) {
    expect(await systemHoles.partAt(fd, at, length)).toEqual(part);
    expect(systemHoles.partNow(fd, at, length)).toEqual(part);
  }
});

test('a punched range reads as zeroes, frees its room, and keeps the size of the file', async () => {
  ftruncateSync(fd, 8 * MIB);
  fill(0, 8 * MIB);
  expect(await systemHoles.punch(fd, MIB, 4 * MIB)).toBe(true);
  expect(systemHoles.punchNow(fd, 6 * MIB, MIB)).toBe(true);
  expect(fstatSync(fd).size).toBe(8 * MIB);
  expect(storedBytes()).toBeLessThanOrEqual(3.1 * MIB);
  const expected = Buffer.alloc(8 * MIB, 7)
    .fill(0, MIB, 5 * MIB)
    .fill(0, 6 * MIB, 7 * MIB);
  expect(readFileSync(path).equals(expected)).toBe(true);
});

test("the system's error is thrown, with its code", async () => {
  const readOnly = openSync(path, 'r');
  try {
    await expect(systemHoles.punch(readOnly, 0, MIB)).rejects.toMatchObject({ code: 'EBADF', syscall: 'fallocate' });
  } finally {
    closeSync(readOnly);
  }
});

/** A file of 64 MiB with data in two places. */
async function source(calls?: DiskCalls): Promise<SourceFile> {
  closeSync(fd);
  rmSync(path);
  const file = new SourceFile(path, 64 * MIB, calls);
  await file.writeLater(3 * MIB, Buffer.alloc(MIB, 7));
  await file.writeLater(40 * MIB - 100, Buffer.alloc(200, 7));
  fd = openSync(path, 'r');
  return file;
}

/** The system's calls, counting what is read and written. */
function counting(): DiskCalls & { readonly count: { read: number; written: number } } {
  const count = { read: 0, written: 0 };
  const calls: DiskCalls = systemCalls;
  return {
    count,
    holes: systemHoles,
    exists: (...words) => calls.exists(...words),
    open: (...words) => calls.open(...words),
    make: (...words) => calls.make(...words),
    close: (...words) => calls.close(...words),
    size: (...words) => calls.size(...words),
    truncate: (...words) => calls.truncate(...words),
    readNow: (...words) => calls.readNow(...words),
    writeNow: (...words) => calls.writeNow(...words),
    readLater: async (file, data, from, at) => {
      const read = await calls.readLater(file, data, from, at);
      count.read += read;
      return read;
    },
    writeLater: async (file, data, from, at) => {
      const written = await calls.writeLater(file, data, from, at);
      count.written += written;
      return written;
    },
    datasync: async (...words) => calls.datasync(...words),
    syncFolder: async (...words) => calls.syncFolder(...words),
    rename: (...words) => calls.rename(...words),
    remove: (...words) => calls.remove(...words),
  };
}

test('a source frees what it may zero, and reads and writes nothing for it', async () => {
  const calls = counting();
  const file = await source(calls);
  calls.count.written = 0;
  await file.zeroLater(0, 64 * MIB, { mayPunch: true });
  expect(calls.count).toEqual({ read: 0, written: 0 });
  expect(storedBytes()).toBe(0);
  expect(readFileSync(path).equals(Buffer.alloc(64 * MIB))).toBe(true);
});

test('a source that must keep its room writes zeroes over data alone, and skips holes', async () => {
  const calls = counting();
  const file = await source(calls);
  calls.count.written = 0;
  const before = storedBytes();
  await file.zeroLater(0, 64 * MIB);
  expect(calls.count.written).toBeLessThanOrEqual(1.1 * MIB);
  expect(calls.count.read).toBeLessThanOrEqual(1.1 * MIB);
  expect(storedBytes()).toBe(before);
  expect(readFileSync(path).equals(Buffer.alloc(64 * MIB))).toBe(true);
});

test('where zeroes are in doubt, they are written, not punched', async () => {
  const calls = counting();
  const file = await source(calls);
  calls.count.written = 0;
  await file.zeroLater(2 * MIB, 4 * MIB, { doubted: true, mayPunch: true });
  expect(calls.count.written).toBe(4 * MIB);
});

test('a source tells its holes, and without the calls everything is data', async () => {
  const file = await source();
  expect(await file.parts(0, 10 * MIB, 10)).toEqual([
    { length: 3 * MIB, isHole: true },
    { length: MIB, isHole: false },
    { length: 6 * MIB, isHole: true },
  ]);
  expect(await file.parts(0, 10 * MIB, 2)).toHaveLength(2);
  expect([await file.isHole(MIB, 2 * MIB), await file.isHole(MIB, 3 * MIB)]).toEqual([true, false]);
  const { holes: _none, ...plain } = counting();
  const blind = new SourceFile(path, 64 * MIB, plain);
  expect(await blind.parts(0, 10 * MIB, 10)).toEqual([{ length: 10 * MIB, isHole: false }]);
  await blind.zeroLater(0, 64 * MIB, { mayPunch: true });
  expect(readFileSync(path).equals(Buffer.alloc(64 * MIB))).toBe(true);
});

test('a source that was never written is one hole, and has no file', async () => {
  const file = new SourceFile(join(folder, 'none.img'), GIB);
  expect(await file.parts(0, GIB, 10)).toEqual([{ length: GIB, isHole: true }]);
  await file.zeroLater(0, GIB, { mayPunch: true });
  expect(file.isWritten).toBe(false);
});
