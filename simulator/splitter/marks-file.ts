// The stored bitmap of marks: pages of 512 bytes, each with its checksum, each written whole, before the source is.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { bitmapBytes, Marks } from './core/marks.js';
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
    return isSourceWritten ? allMarked(path, sizeBytes, 'there is none') : { marks: new Marks(sizeBytes) };
  }
  const stored = readFileSync(path);
  const pages = Math.ceil(byteLength / PAGE_BITS_BYTES);
  if (stored.length !== pages * PAGE_BYTES)
    return allMarked(path, sizeBytes, `it has ${stored.length} bytes instead of ${pages * PAGE_BYTES}`);
  const bits = Buffer.alloc(byteLength);
  for (let page = 0; page < pages; page += 1) {
    const at = page * PAGE_BYTES;
    const pageBits = stored.subarray(at, at + PAGE_BITS_BYTES);
    if (checksum(pageBits, page) !== stored.readUInt32BE(at + PAGE_BITS_BYTES))
      return allMarked(path, sizeBytes, `page ${page} fails its checksum`);
    pageBits.copy(bits, page * PAGE_BITS_BYTES);
  }
  return { marks: new Marks(sizeBytes, bits) };
}

function allMarked(path: string, sizeBytes: number, why: string): LoadedMarks {
  const all = Buffer.alloc(bitmapBytes(sizeBytes), 0xff);
  const marks = new Marks(sizeBytes, all);
  // At once: a page written alone later would give the others a trust that they have lost.
  writeWhole(path, marks);
  return { marks, lost: `The bitmap of marks can't be relied on (${why}): the whole volume is sent again.` };
}

export class MarksFile {
  readonly #file: OpenFile;
  readonly #marks: Marks;
  /** Pages that are ahead of the file. */
  readonly #unstored = new Set<number>();
  readonly #page = Buffer.alloc(PAGE_BYTES);
  #exists: boolean;

  constructor(path: string, marks: Marks) {
    this.#file = new OpenFile(path, pagesOf(marks) * PAGE_BYTES);
    this.#marks = marks;
    this.#exists = existsSync(path);
  }

  /** Whether an earlier attempt to store failed: no write may go on before one succeeds. */
  get isBehind(): boolean {
    return this.#unstored.size > 0;
  }

  /** Stores the pages of these regions, and what could not be stored before. @throws the system's error; the pages stay due. */
  store(regions: readonly number[]): void {
    for (const region of regions) this.#unstored.add(Math.floor(region / REGIONS_PER_PAGE));
    if (!this.#exists) {
      writeWhole(this.#file.path, this.#marks);
      this.#file.renewed();
      this.#exists = true;
      this.#unstored.clear();
      return;
    }
    for (const page of this.#unstored) {
      fillPage(this.#page, this.#marks, page);
      this.#file.writeNow(page * PAGE_BYTES, this.#page);
      this.#unstored.delete(page);
    }
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
  writeFileSync(draft, content);
  renameSync(draft, path);
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
