// The stored bitmap of marks: pages of 512 bytes, each with its checksum and written whole, before
// the source is.
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { bitmapBytes, firstRegion, type FreshMarks, lastRegion, Marks } from '../core/marks.js';
import { systemCalls, type DiskCalls } from '../../disk/disk-calls.js';
import { syncFolder } from '../../disk/folder-names.js';
import { OpenFile } from '../../disk/open-file.js';

/** A disk's sector: written whole or not at all. */
const PAGE_BYTES = 512;
const CRC_BYTES = 4;
const PAGE_BITS_BYTES = PAGE_BYTES - CRC_BYTES;
const REGIONS_PER_PAGE = PAGE_BITS_BYTES * 8;
/** Pages read or written at once, 1 MiB: the file of a volume of 16 TiB has 33 MiB. */
const PAGES_AT_ONCE = 2_048;

export interface LoadedMarks {
  readonly marks: Marks;
  /** Why everything is marked; absent when the bitmap was good or not needed. */
  readonly lost?: string;
}

/**
 * Loads the bitmap. Marks everything if it is missing beside a written source, or damaged.
 * @param isSourceWritten whether the volume was ever written: else it needs no bitmap.
 * @param formerBytes size before the last growth: a bitmap of that size is good, too, with nothing
 * marked beyond. `MarksFile.resize` must follow.
 */
export function loadMarks(
  path: string,
  sizeBytes: number,
  isSourceWritten: boolean,
  calls: DiskCalls = systemCalls,
  formerBytes = sizeBytes,
): LoadedMarks {
  if (!calls.exists(path))
    return isSourceWritten ? allMarked(sizeBytes, 'there is none') : { marks: new Marks(sizeBytes) };
  const bits = Buffer.alloc(bitmapBytes(sizeBytes));
  const fd = calls.open(path);
  try {
    const fault = readBits(calls, fd, bits, bitmapBytes(formerBytes));
    return fault === undefined ? { marks: new Marks(sizeBytes, bits) } : allMarked(sizeBytes, fault, bits);
  } finally {
    calls.close(fd);
  }
}

/**
 * Reads the bits of a file of marks, which may be one of the former length.
 * @returns what is wrong with it, if anything is
 */
function readBits(calls: DiskCalls, fd: number, bits: Buffer, formerLength: number): string | undefined {
  const { bytes } = calls.size(fd);
  const isFormer = bytes === pagesFor(formerLength) * PAGE_BYTES;
  const pages = pagesFor(isFormer ? formerLength : bits.length);
  const otherSize = (found: number): string => `it has ${found} bytes instead of ${pages * PAGE_BYTES}`;
  if (bytes !== pages * PAGE_BYTES) return otherSize(bytes);
  const some = Buffer.alloc(Math.min(pages, PAGES_AT_ONCE) * PAGE_BYTES);
  for (let first = 0; first < pages; first += PAGES_AT_ONCE) {
    const stored = some.subarray(0, Math.min(pages - first, PAGES_AT_ONCE) * PAGE_BYTES);
    const done = readAt(calls, fd, stored, first * PAGE_BYTES);
    if (done < stored.length) return otherSize(first * PAGE_BYTES + done);
    for (let at = 0; at < stored.length; at += PAGE_BYTES) {
      const page = first + at / PAGE_BYTES;
      const pageBits = stored.subarray(at, at + PAGE_BITS_BYTES);
      if (checksum(pageBits, page) !== stored.readUInt32BE(at + PAGE_BITS_BYTES))
        return `page ${page} fails its checksum`;
      pageBits.copy(bits, page * PAGE_BITS_BYTES);
    }
  }
  return undefined;
}

function allMarked(sizeBytes: number, why: string, bits = Buffer.alloc(bitmapBytes(sizeBytes))): LoadedMarks {
  const marks = new Marks(sizeBytes, bits.fill(0xff));
  return { marks, lost: `The bitmap of marks can't be relied on (${why}): the whole volume is sent again.` };
}

export class MarksFile {
  readonly #file: OpenFile;
  readonly #marks: Marks;
  readonly #calls: DiskCalls;
  /** Pages that are ahead of the file; true if with marks that were set. */
  readonly #unstored = new Map<number, boolean>();
  /**
   * Pages whose set marks may not be on stable storage, each with the last storing that set any.
   */
  readonly #unsynced = new Map<number, number>();
  #storings = 0;
  readonly #page = Buffer.alloc(PAGE_BYTES);
  #exists: boolean;
  /**
   * The file on the disk is missing or damaged. The next start finds that too and marks every
   * region, so nothing has to be stored before the whole file is.
   */
  #isLost: boolean;

  /**
   * @param isLost whether `loadMarks` found the file lost: one good page would make the others look
   * trustworthy.
   */
  constructor(path: string, marks: Marks, isLost = false, calls: DiskCalls = systemCalls) {
    this.#file = new OpenFile(path, pagesOf(marks) * PAGE_BYTES, calls);
    this.#marks = marks;
    this.#calls = calls;
    this.#exists = !isLost && calls.exists(path);
    this.#isLost = isLost;
    if (isLost) this.#replaceLost();
    // A life that was killed, or failed to sync, may have left these marks in the page cache only:
    // they are written again when they are needed.
    if (marks.marked === 0 || isLost) return;
    for (let page = 0; page < pagesOf(marks); page += 1) if (hasMarks(marks, page)) this.#unstored.set(page, true);
  }

  /**
   * Whether marks of these bytes may be missing in the file: a write to them must `store` first.
   */
  isBehindAt(offset: number, length: number): boolean {
    if (this.#unstored.size === 0) return false;
    const last = pageOf(lastRegion(offset, length));
    for (let page = pageOf(firstRegion(offset)); page <= last; page += 1)
      if (this.#unstored.get(page) === true) return true;
    return false;
  }

  /**
   * Stores marks that were set for a write to these bytes, and what earlier stores left due of
   * their pages.
   * @throws the system's error: the pages stay due, and only writes to them wait for that.
   */
  store(regions: readonly number[], offset: number, length: number): void {
    for (const page of pagesTouched(regions)) this.#unstored.set(page, true);
    this.#storings += 1;
    const last = pageOf(lastRegion(offset, length));
    for (let page = pageOf(firstRegion(offset)); page <= last; page += 1)
      if (this.#unstored.has(page)) this.#write(page);
  }

  /**
   * Stores marks that were set without a write, anywhere.
   * @throws the system's error: the pages stay due
   */
  storeAll(fresh: FreshMarks): void {
    if (fresh === 'all') {
      this.#storeEverything();
      return;
    }
    for (const page of pagesTouched(fresh)) this.#unstored.set(page, true);
    this.#storings += 1;
    for (const page of this.#unstored.keys()) this.#write(page);
  }

  /** One file of 32 MiB is written faster than its 65,536 pages are. */
  #storeEverything(): void {
    for (let page = 0; page < pagesOf(this.#marks); page += 1) this.#unstored.set(page, true);
    this.#storings += 1;
    if (!this.#isLost) {
      this.#writeWhole();
      return;
    }
    this.#replaceLost();
    for (const page of this.#unstored.keys()) this.#stored(page);
  }

  /**
   * Stores marks that were cleared. Nobody waits for a sync: a power cut may only bring marks back.
   * @throws the system's error. The file then has too many marks, which is safe.
   */
  storeCleared(regions: readonly number[]): void {
    for (const page of pagesTouched(regions)) if (!this.#unstored.has(page)) this.#unstored.set(page, false);
    this.#storings += 1;
    for (const page of this.#unstored.keys()) this.#write(page);
  }

  /**
   * Resolves when stored marks of these bytes are on stable storage; undefined if they are known to
   * be.
   */
  whenSynced(offset: number, length: number): Promise<void> | undefined {
    if (this.#unsynced.size === 0) return undefined;
    const last = pageOf(lastRegion(offset, length));
    for (let page = pageOf(firstRegion(offset)); page <= last; page += 1)
      if (this.#unsynced.has(page)) return this.sync();
    return undefined;
  }

  /**
   * Writes the whole file anew, after the volume has another size. Without room the file counts as
   * lost until there is some: the next start finds that, too.
   */
  resize(): void {
    this.#storings += 1;
    for (let page = 0; page < pagesOf(this.#marks); page += 1)
      if (hasMarks(this.#marks, page)) this.#unstored.set(page, true);
    for (const page of this.#unstored.keys()) if (page >= pagesOf(this.#marks)) this.#unstored.delete(page);
    this.#isLost = true;
    this.#replaceLost();
  }

  async sync(): Promise<void> {
    if (!this.#exists) return;
    const storings = this.#storings;
    await this.#file.sync();
    // A page stored after the sync began may have missed it.
    for (const [page, storing] of this.#unsynced) if (storing <= storings) this.#unsynced.delete(page);
  }

  close(): void {
    this.#file.close();
  }

  /** @throws the system's error; the page stays due */
  #write(page: number): void {
    if (this.#isLost) {
      this.#replaceLost();
    } else if (this.#exists) {
      fillPage(this.#page, this.#marks, page);
      this.#file.writeNow(page * PAGE_BYTES, this.#page);
    } else {
      this.#writeWhole();
      return;
    }
    this.#stored(page);
  }

  /** Replaces the lost file by a whole one. Never throws: without room, the lost file stays. */
  #replaceLost(): void {
    try {
      this.#writeWhole();
      this.#isLost = false;
    } catch {
      // The next mark tries again.
    }
  }

  #writeWhole(): void {
    writeWhole(this.#calls, this.#file.path, this.#marks);
    this.#file.renewed(pagesOf(this.#marks) * PAGE_BYTES);
    this.#exists = true;
    for (const page of this.#unstored.keys()) this.#stored(page);
  }

  #stored(page: number): void {
    if (this.#unstored.get(page) === true) this.#unsynced.set(page, this.#storings);
    this.#unstored.delete(page);
  }
}

/**
 * Deletes the bitmap of a volume that will be written without marks: a later start then counts all
 * of it as marked, after a power cut too.
 */
export function discardMarks(path: string): void {
  if (!systemCalls.exists(path)) return;
  systemCalls.remove(path);
  syncFolder(dirname(path));
}

/**
 * Writes the whole file and renames it into place, so that no file with only some pages is seen. A
 * power cut may leave such a file, or none: either is found damaged, and all is marked. Nothing
 * relies on its marks before file and folder are synced.
 */
function writeWhole(calls: DiskCalls, path: string, marks: Marks): void {
  const pages = pagesOf(marks);
  const content = Buffer.alloc(Math.min(pages, PAGES_AT_ONCE) * PAGE_BYTES);
  const draft = `${path}.new`;
  calls.remove(draft);
  try {
    const fd = calls.make(draft);
    try {
      for (let first = 0; first < pages; first += PAGES_AT_ONCE) {
        const some = content.subarray(0, Math.min(pages - first, PAGES_AT_ONCE) * PAGE_BYTES);
        for (let at = 0; at < some.length; at += PAGE_BYTES)
          fillPage(some.subarray(at, at + PAGE_BYTES), marks, first + at / PAGE_BYTES);
        for (let done = 0; done < some.length;) done += calls.writeNow(fd, some, done, first * PAGE_BYTES + done);
      }
    } finally {
      calls.close(fd);
    }
    calls.rename(draft, path);
  } catch (error) {
    discardDraft(calls, draft);
    throw error;
  }
}

/** Deletes the unfinished file: it may hold the disk's last room. */
function discardDraft(calls: DiskCalls, path: string): void {
  try {
    calls.remove(path);
  } catch {
    // The error of the write says more.
  }
}

/** @returns the bytes read: fewer only at the end of the file */
function readAt(calls: DiskCalls, fd: number, into: Buffer, at: number): number {
  let done = 0;
  for (let count = -1; count !== 0 && done < into.length; done += count)
    count = calls.readNow(fd, into, done, at + done);
  return done;
}

function pageOf(region: number): number {
  return Math.floor(region / REGIONS_PER_PAGE);
}

/** The pages of regions, each run of regions on one page once: a request may touch thousands. */
function pagesTouched(regions: readonly number[]): number[] {
  const pages: number[] = [];
  let last = -1;
  for (const region of regions) {
    const page = pageOf(region);
    if (page !== last) pages.push(page);
    last = page;
  }
  return pages;
}

function hasMarks(marks: Marks, page: number): boolean {
  return bitsOf(marks, page).some((byte) => byte !== 0);
}

function bitsOf(marks: Marks, page: number): Uint8Array {
  const from = page * PAGE_BITS_BYTES;
  return marks.bytes(from, Math.min(from + PAGE_BITS_BYTES, marks.byteLength));
}

function pagesOf(marks: Marks): number {
  return pagesFor(marks.byteLength);
}

function pagesFor(byteLength: number): number {
  return Math.ceil(byteLength / PAGE_BITS_BYTES);
}

function fillPage(into: Buffer, marks: Marks, page: number): void {
  const bits = bitsOf(marks, page);
  into.set(bits);
  into.fill(0, bits.length, PAGE_BITS_BYTES);
  into.writeUInt32BE(checksum(into.subarray(0, PAGE_BITS_BYTES), page), PAGE_BITS_BYTES);
}

/** The page's checksum, seeded with its number: a page at the wrong place fails it. */
function checksum(bits: Buffer, page: number): number {
  return crc32(bits, page);
}
