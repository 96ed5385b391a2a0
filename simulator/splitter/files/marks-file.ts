// The stored bitmap of marks: pages of 512 bytes, each with its checksum, each written whole,
// before the source is.
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { bitmapBytes, firstRegion, lastRegion, Marks } from '../core/marks.js';
import { systemCalls, type DiskCalls } from '../../disk/disk-calls.js';
import { syncFolder } from '../../disk/folder-names.js';
import { OpenFile } from '../../disk/open-file.js';

/** A disk's sector, which is written whole or not at all. */
const PAGE_BYTES = 512;
const CRC_BYTES = 4;
const PAGE_BITS_BYTES = PAGE_BYTES - CRC_BYTES;
const REGIONS_PER_PAGE = PAGE_BITS_BYTES * 8;

export interface LoadedMarks {
  readonly marks: Marks;
  /** Why everything is marked; absent when the bitmap was good, or none was needed. */
  readonly lost?: string;
}

/**
 * @param isSourceWritten a volume that was never written needs no bitmap; one that was and has none
 * has lost it.
 */
export function loadMarks(
  path: string,
  sizeBytes: number,
  isSourceWritten: boolean,
  calls: DiskCalls = systemCalls,
): LoadedMarks {
  const byteLength = bitmapBytes(sizeBytes);
  const allMarked = (why: string): LoadedMarks => markAll(sizeBytes, why);
  if (!calls.exists(path)) return isSourceWritten ? allMarked('there is none') : { marks: new Marks(sizeBytes) };
  const stored = readWhole(calls, path);
  const pages = Math.ceil(byteLength / PAGE_BITS_BYTES);
  if (stored.length !== pages * PAGE_BYTES)
    return allMarked(`it has ${stored.length} bytes instead of ${pages * PAGE_BYTES}`);
  const bits = Buffer.alloc(byteLength);
  for (let page = 0; page < pages; page += 1) {
    const at = page * PAGE_BYTES;
    const pageBits = stored.subarray(at, at + PAGE_BITS_BYTES);
    if (checksum(pageBits, page) !== stored.readUInt32BE(at + PAGE_BITS_BYTES))
      return allMarked(`page ${page} fails its checksum`);
    pageBits.copy(bits, page * PAGE_BITS_BYTES);
  }
  return { marks: new Marks(sizeBytes, bits) };
}

function markAll(sizeBytes: number, why: string): LoadedMarks {
  const marks = new Marks(sizeBytes, Buffer.alloc(bitmapBytes(sizeBytes), 0xff));
  return { marks, lost: `The bitmap of marks can't be relied on (${why}): the whole volume is sent again.` };
}

export class MarksFile {
  readonly #file: OpenFile;
  readonly #marks: Marks;
  readonly #calls: DiskCalls;
  /** Pages that are ahead of the file, and whether with marks that were set. */
  readonly #unstored = new Map<number, boolean>();
  /**
   * Pages stored with marks that may not be on stable storage, each by the last storing that set
   * any.
   */
  readonly #unsynced = new Map<number, number>();
  #storings = 0;
  readonly #page = Buffer.alloc(PAGE_BYTES);
  #exists: boolean;
  /**
   * What lies on the disk is found damaged, or missing beside a written source, at the next start
   * too: that says of every region that it is marked. So nothing has to be stored until the whole
   * file is.
   */
  #isLost: boolean;

  /**
   * @param isLost as `loadMarks` found it: a page written alone would give the others a trust that
   * they have lost.
   */
  constructor(path: string, marks: Marks, isLost = false, calls: DiskCalls = systemCalls) {
    this.#file = new OpenFile(path, pagesOf(marks) * PAGE_BYTES, calls);
    this.#marks = marks;
    this.#calls = calls;
    this.#exists = !isLost && calls.exists(path);
    this.#isLost = isLost;
    if (isLost) this.#replaceLost();
    // A life that was killed, or that failed to sync, may have left these marks in the page cache
    // only: where they are needed they are written again.
    if (marks.marked === 0 || isLost) return;
    for (let page = 0; page < pagesOf(marks); page += 1) if (hasMarks(marks, page)) this.#unstored.set(page, true);
  }

  /**
   * Whether marks of these bytes may be missing in the file: no write to them may go on before
   * `store` succeeds.
   */
  isBehindAt(offset: number, length: number): boolean {
    if (this.#unstored.size === 0) return false;
    const last = pageOf(lastRegion(offset, length));
    for (let page = pageOf(firstRegion(offset)); page <= last; page += 1)
      if (this.#unstored.get(page) === true) return true;
    return false;
  }

  /**
   * Stores marks that were set for a write to these bytes, and what of their pages could not be
   * stored before.
   * @throws the system's error: the pages stay due, and only who writes to them waits for that.
   */
  store(regions: readonly number[], offset: number, length: number): void {
    for (const region of regions) this.#unstored.set(pageOf(region), true);
    this.#storings += 1;
    const last = pageOf(lastRegion(offset, length));
    for (let page = pageOf(firstRegion(offset)); page <= last; page += 1)
      if (this.#unstored.has(page)) this.#write(page);
  }

  /**
   * Stores marks that were set without a write, anywhere.
   * @throws the system's error: the pages stay due
   */
  storeAll(regions: readonly number[]): void {
    for (const region of regions) this.#unstored.set(pageOf(region), true);
    this.#storings += 1;
    for (const page of this.#unstored.keys()) this.#write(page);
  }

  /**
   * The same for marks that were cleared: a power cut may bring those back, so nobody waits for
   * them.
   * @throws the system's error; the file has marks too many then, which is safe.
   */
  storeCleared(regions: readonly number[]): void {
    for (const region of regions) {
      const page = pageOf(region);
      if (!this.#unstored.has(page)) this.#unstored.set(page, false);
    }
    this.#storings += 1;
    for (const page of this.#unstored.keys()) this.#write(page);
  }

  /**
   * Resolves when the marks of these bytes, stored before, are on stable storage; undefined if they
   * are known to be.
   */
  whenSynced(offset: number, length: number): Promise<void> | undefined {
    if (this.#unsynced.size === 0) return undefined;
    const last = pageOf(lastRegion(offset, length));
    for (let page = pageOf(firstRegion(offset)); page <= last; page += 1)
      if (this.#unsynced.has(page)) return this.sync();
    return undefined;
  }

  async sync(): Promise<void> {
    if (!this.#exists) return;
    const storings = this.#storings;
    await this.#file.sync();
    // What was stored since then may have come too late for this sync.
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

  /** Never throws: while there is no room for the whole file, the lost one stands for it. */
  #replaceLost(): void {
    try {
      this.#writeWhole();
      this.#isLost = false;
    } catch {
      // Tried again with the next mark.
    }
  }

  #writeWhole(): void {
    writeWhole(this.#calls, this.#file.path, this.#marks);
    this.#file.renewed();
    this.#exists = true;
    for (const page of this.#unstored.keys()) this.#stored(page);
  }

  #stored(page: number): void {
    if (this.#unstored.get(page) === true) this.#unsynced.set(page, this.#storings);
    this.#unstored.delete(page);
  }
}

/**
 * For a volume that is about to be written without marks: later, all of it must count as marked,
 * after a power cut too.
 */
export function discardMarks(path: string): void {
  if (!systemCalls.exists(path)) return;
  systemCalls.remove(path);
  syncFolder(dirname(path));
}

/**
 * In one step, so that a file with some pages only can't be seen. A power cut may leave such a
 * file, or none: either is found damaged, and all is marked. Nothing relies on its marks before a
 * sync of file and folder.
 */
function writeWhole(calls: DiskCalls, path: string, marks: Marks): void {
  const content = Buffer.alloc(pagesOf(marks) * PAGE_BYTES);
  for (let page = 0; page < pagesOf(marks); page += 1)
    fillPage(content.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES), marks, page);
  const draft = `${path}.new`;
  calls.remove(draft);
  try {
    const fd = calls.make(draft);
    try {
      for (let done = 0; done < content.length;) done += calls.writeNow(fd, content, done, done);
    } finally {
      calls.close(fd);
    }
    calls.rename(draft, path);
  } catch (error) {
    discardDraft(calls, draft);
    throw error;
  }
}

/** It may take what little room there is. */
function discardDraft(calls: DiskCalls, path: string): void {
  try {
    calls.remove(path);
  } catch {
    // Why it could not be written says more.
  }
}

function readWhole(calls: DiskCalls, path: string): Buffer {
  const fd = calls.open(path);
  try {
    const content = Buffer.alloc(calls.size(fd).bytes);
    let done = 0;
    for (let count = -1; count !== 0 && done < content.length; done += count)
      count = calls.readNow(fd, content, done, done);
    return content.subarray(0, done);
  } finally {
    calls.close(fd);
  }
}

function pageOf(region: number): number {
  return Math.floor(region / REGIONS_PER_PAGE);
}

function hasMarks(marks: Marks, page: number): boolean {
  return bitsOf(marks, page).some((byte) => byte !== 0);
}

function bitsOf(marks: Marks, page: number): Uint8Array {
  const from = page * PAGE_BITS_BYTES;
  return marks.bytes(from, Math.min(from + PAGE_BITS_BYTES, marks.byteLength));
}

function pagesOf(marks: Marks): number {
  return Math.ceil(marks.byteLength / PAGE_BITS_BYTES);
}

function fillPage(into: Buffer, marks: Marks, page: number): void {
  const bits = bitsOf(marks, page);
  into.set(bits);
  into.fill(0, bits.length, PAGE_BITS_BYTES);
  into.writeUInt32BE(checksum(into.subarray(0, PAGE_BITS_BYTES), page), PAGE_BITS_BYTES);
}

/** Seeded with the page's number: a page at the wrong place fails it. */
function checksum(bits: Buffer, page: number): number {
  return crc32(bits, page);
}
