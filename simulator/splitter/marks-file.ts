// The stored bitmap of marks: pages of 512 bytes, each with its checksum, each written whole, before the source is.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { bitmapBytes, firstRegion, lastRegion, Marks } from './core/marks.js';
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
export function loadMarks(path: string, sizeBytes: number, isSourceWritten: boolean): LoadedMarks {
  const byteLength = bitmapBytes(sizeBytes);
  if (!existsSync(path)) {
    return isSourceWritten ? allMarked(sizeBytes, 'there is none') : { marks: new Marks(sizeBytes) };
  }
  const stored = readFileSync(path);
  const pages = Math.ceil(byteLength / PAGE_BITS_BYTES);
  if (stored.length !== pages * PAGE_BYTES)
    return allMarked(sizeBytes, `it has ${stored.length} bytes instead of ${pages * PAGE_BYTES}`);
  const bits = Buffer.alloc(byteLength);
  for (let page = 0; page < pages; page += 1) {
    const at = page * PAGE_BYTES;
    const pageBits = stored.subarray(at, at + PAGE_BITS_BYTES);
    if (checksum(pageBits, page) !== stored.readUInt32BE(at + PAGE_BITS_BYTES))
      return allMarked(sizeBytes, `page ${page} fails its checksum`);
    pageBits.copy(bits, page * PAGE_BITS_BYTES);
  }
  return { marks: new Marks(sizeBytes, bits) };
}

function allMarked(sizeBytes: number, why: string): LoadedMarks {
  const marks = new Marks(sizeBytes, Buffer.alloc(bitmapBytes(sizeBytes), 0xff));
  return { marks, lost: `The bitmap of marks can't be relied on (${why}): the whole volume is sent again.` };
}

export class MarksFile {
  readonly #file: OpenFile;
  readonly #marks: Marks;
  /** Pages that are ahead of the file, and whether with marks that were set: cleared ones only cost a resend. */
  readonly #unstored = new Map<number, boolean>();
  readonly #page = Buffer.alloc(PAGE_BYTES);
  #exists: boolean;
  /**
   * What lies on the disk is found damaged, or missing beside a written source, at the next start too: that says of every region
   * that it is marked. So nothing has to be stored until the whole file is.
   */
  #isLost: boolean;

  /** @param isLost as `loadMarks` found it: a page written alone would give the others a trust that they have lost. */
  constructor(path: string, marks: Marks, isLost = false) {
    this.#file = new OpenFile(path, pagesOf(marks) * PAGE_BYTES);
    this.#marks = marks;
    this.#exists = !isLost && existsSync(path);
    this.#isLost = isLost;
    if (isLost) this.#replaceLost();
  }

  /** Whether marks of these bytes may be missing in the file: no write to them may go on before `store` succeeds. */
  isBehindAt(offset: number, length: number): boolean {
    if (this.#unstored.size === 0) return false;
    const last = pageOf(lastRegion(offset, length));
    for (let page = pageOf(firstRegion(offset)); page <= last; page += 1)
      if (this.#unstored.get(page) === true) return true;
    return false;
  }

  /**
   * Stores marks that were set for a write to these bytes, and what of their pages could not be stored before.
   * @throws the system's error: the pages stay due, and only who writes to them waits for that.
   */
  store(regions: readonly number[], offset: number, length: number): void {
    for (const region of regions) this.#unstored.set(pageOf(region), true);
    const last = pageOf(lastRegion(offset, length));
    for (let page = pageOf(firstRegion(offset)); page <= last; page += 1)
      if (this.#unstored.has(page)) this.#write(page);
  }

  /** The same for marks that were cleared, anywhere. @throws the system's error; the file has marks too many then, which is safe. */
  storeCleared(regions: readonly number[]): void {
    for (const region of regions) if (!this.#unstored.has(pageOf(region))) this.#unstored.set(pageOf(region), false);
    for (const page of this.#unstored.keys()) this.#write(page);
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
    }
    this.#unstored.delete(page);
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
    writeWhole(this.#file.path, this.#marks);
    this.#file.renewed();
    this.#exists = true;
    this.#unstored.clear();
  }

  async sync(): Promise<void> {
    if (this.#exists) await this.#file.sync();
  }

  close(): void {
    this.#file.close();
  }
}

/** For a volume that is about to be written without marks: later, all of it must count as marked. */
export function discardMarks(path: string): void {
  rmSync(path, { force: true });
}

/** In one step, so that a file with some pages only can't be seen. */
function writeWhole(path: string, marks: Marks): void {
  const content = Buffer.alloc(pagesOf(marks) * PAGE_BYTES);
  for (let page = 0; page < pagesOf(marks); page += 1)
    fillPage(content.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES), marks, page);
  const draft = `${path}.new`;
  try {
    writeFileSync(draft, content);
    renameSync(draft, path);
  } catch (error) {
    discardDraft(draft);
    throw error;
  }
}

/** It may take what little room there is. */
function discardDraft(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Why it could not be written says more.
  }
}

function pageOf(region: number): number {
  return Math.floor(region / REGIONS_PER_PAGE);
}

function pagesOf(marks: Marks): number {
  return Math.ceil(marks.byteLength / PAGE_BITS_BYTES);
}

function fillPage(into: Buffer, marks: Marks, page: number): void {
  const from = page * PAGE_BITS_BYTES;
  const bits = marks.bytes(from, Math.min(from + PAGE_BITS_BYTES, marks.byteLength));
  into.set(bits);
  into.fill(0, bits.length, PAGE_BITS_BYTES);
  into.writeUInt32BE(checksum(into.subarray(0, PAGE_BITS_BYTES), page), PAGE_BITS_BYTES);
}

/** Seeded with the page's number: a page at the wrong place fails it. */
function checksum(bits: Buffer, page: number): number {
  return crc32(bits, page);
}
