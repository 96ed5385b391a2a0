// The stored bitmap of marks: pages of 512 bytes, each with its checksum, each written whole, before the source is.
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { bitmapBytes, firstRegion, lastRegion, Marks } from './core/marks.js';
import { systemCalls, type DiskCalls } from '../disk/disk-calls.js';
import { syncFolder } from '../disk/folder-names.js';
import { OpenFile } from '../disk/open-file.js';

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

/** @param isSourceWritten a volume that was never written needs no bitmap; one that was and has none has lost it. */
export function loadMarks(
  path: string,
  sizeBytes: number,
  isSourceWritten: boolean,
  calls: DiskCalls = systemCalls,
): LoadedMarks {
  const byteLength = bitmapBytes(sizeBytes);
  const allMarked = (why: string): LoadedMarks => markAll(calls, path, sizeBytes, why);
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

function markAll(calls: DiskCalls, path: string, sizeBytes: number, why: string): LoadedMarks {
  const all = Buffer.alloc(bitmapBytes(sizeBytes), 0xff);
  const marks = new Marks(sizeBytes, all);
  // At once: a page written alone later would give the others a trust that they have lost.
  writeWhole(calls, path, marks);
  return { marks, lost: `The bitmap of marks can't be relied on (${why}): the whole volume is sent again.` };
}

export class MarksFile {
  readonly #file: OpenFile;
  readonly #marks: Marks;
  readonly #calls: DiskCalls;
  /** Pages that are ahead of the file, and whether with marks that were set. */
  readonly #unstored = new Map<number, boolean>();
  /** Pages stored with marks that may not be on stable storage, each by the last storing that set any. */
  readonly #unsynced = new Map<number, number>();
  #storings = 0;
  readonly #page = Buffer.alloc(PAGE_BYTES);
  #exists: boolean;

  constructor(path: string, marks: Marks, calls: DiskCalls = systemCalls) {
    this.#file = new OpenFile(path, pagesOf(marks) * PAGE_BYTES, calls);
    this.#marks = marks;
    this.#calls = calls;
    this.#exists = calls.exists(path);
    // A life that was killed, or that failed to sync, may have left these marks in the page cache only: where they are
    // needed they are written again.
    if (marks.marked === 0) return;
    for (let page = 0; page < pagesOf(marks); page += 1) if (hasMarks(marks, page)) this.#unstored.set(page, true);
  }

  /** Whether pages are ahead of the file: no write may go on before they are stored. */
  get isBehind(): boolean {
    return this.#unstored.size > 0;
  }

  /** Stores marks that were set, and what could not be stored before. @throws the system's error; the pages stay due. */
  store(regions: readonly number[]): void {
    for (const region of regions) this.#unstored.set(pageOf(region), true);
    this.#storeDue();
  }

  /** The same for marks that were cleared: a power cut may bring those back, so nobody waits for them. */
  storeCleared(regions: readonly number[]): void {
    for (const region of regions) {
      const page = pageOf(region);
      if (!this.#unstored.has(page)) this.#unstored.set(page, false);
    }
    this.#storeDue();
  }

  /** Resolves when the marks of these bytes, stored before, are on stable storage; undefined if they are known to be. */
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

  #storeDue(): void {
    this.#storings += 1;
    if (this.#exists) {
      for (const page of this.#unstored.keys()) {
        fillPage(this.#page, this.#marks, page);
        this.#file.writeNow(page * PAGE_BYTES, this.#page);
        this.#stored(page);
      }
      return;
    }
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

/** For a volume that is about to be written without marks: later, all of it must count as marked, after a power cut too. */
export function discardMarks(path: string): void {
  if (!systemCalls.exists(path)) return;
  systemCalls.remove(path);
  syncFolder(dirname(path));
}

/**
 * In one step, so that a file with some pages only can't be seen. A power cut may leave such a file, or none: either is
 * found damaged, and all is marked. Nothing relies on its marks before a sync of file and folder.
 */
function writeWhole(calls: DiskCalls, path: string, marks: Marks): void {
  const content = Buffer.alloc(pagesOf(marks) * PAGE_BYTES);
  for (let page = 0; page < pagesOf(marks); page += 1)
    fillPage(content.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES), marks, page);
  const draft = `${path}.new`;
  calls.remove(draft);
  const fd = calls.make(draft);
  try {
    for (let done = 0; done < content.length;) done += calls.writeNow(fd, content, done, done);
  } finally {
    calls.close(fd);
  }
  calls.rename(draft, path);
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
