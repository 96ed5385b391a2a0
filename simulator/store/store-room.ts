// Reserves room in a store's file before a change is made. An lmdb that fails to write a page
// damages its process's memory (it died of "munmap_chunk(): invalid pointer" after a dozen failed
// commits on a full disk), so that must never happen. The reserve is blocks of zeroes behind the
// last page of the file. lmdb ignores them, and later writes its pages over them.
import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { z } from 'zod';

/**
 * Size of the reserve, in bytes: some hundred small changes that all make the store grow. Most
 * changes reuse free pages.
 */
export const RESERVE_BYTES = 1024 * 1024;
/** The reserve is filled up once it is smaller than this, in bytes. */
const RESERVE_BYTES_MIN = RESERVE_BYTES / 2;
/** Size of a trial write, in bytes: a page. */
const TOUCHED_BYTES = 4096;
/** How often a disk without room is tried, in milliseconds. */
const RESERVE_EVERY_MS = 10_000;
export const DATA_FILE = 'data.mdb';
/**
 * Pages that a change of one entry copies on the way from the root, and those that a split adds.
 */
const PATH_PAGES = 5;
/** Pages that every change takes: the list of databases, and the list of free pages. */
const COMMON_PAGES = 16;
/**
 * Largest entry within a page, in bytes. A larger one needs pages side by side, which only the end
 * of the file is sure to have.
 */
const ENTRY_BYTES_MAX = 1_900;
const ENTRY_OVERHEAD_BYTES = 64;
/** Size of a page's number in the list of free pages, in bytes. */
const PAGE_NUMBER_BYTES = 8;

/** The used part of lmdb's statistics, which its types leave open. */
const treeSchema = z.object({
  treeBranchPageCount: z.number(),
  treeLeafPageCount: z.number(),
  overflowPages: z.number(),
});
const rootSchema = z.object({
  pageSize: z.number(),
  lastPageNumber: z.number(),
  root: treeSchema,
  free: treeSchema,
});

/** The part of a database that is used here. */
interface LmdbTable {
  getStats(): unknown;
}

export class StoreRoom {
  readonly #root: RootDatabase;
  readonly #databases: readonly LmdbTable[];
  readonly #file: string;
  /** Pages of the last two changes: those they replaced are not free yet. */
  #recent: readonly [number, number] = [0, 0];
  #isShort = false;
  /** End of lmdb's last page in the file, in bytes, at the last look. */
  #lastPageEnd = 0;
  #triedAtMs = -Infinity;

  /** @param databases all databases of the store. */
  constructor(directory: string, root: RootDatabase, databases: readonly LmdbTable[]) {
    this.#root = root;
    this.#databases = databases;
    this.#file = join(directory, DATA_FILE);
    this.replenish();
  }

  /** Whether the disk has no room for the whole reserve. */
  get isShort(): boolean {
    return this.#isShort;
  }

  /**
   * Makes sure that a change of entries of these sizes finds its pages.
   * @throws the system's error, mostly ENOSPC: the change must not be tried then
   */
  ensure(entryBytes: readonly number[]): void {
    const { pageSize, lastPageNumber, free } = this.#stats();
    const large = entryBytes.filter((bytes) => bytes > ENTRY_BYTES_MAX);
    const sideBySide = large.reduce((pages, bytes) => pages + Math.ceil((bytes + ENTRY_OVERHEAD_BYTES) / pageSize), 0);
    const copied = Math.min(entryBytes.length * PATH_PAGES, lastPageNumber);
    const smallBytes = entryBytes.reduce(
      (sum, bytes) => sum + ENTRY_OVERHEAD_BYTES + (bytes > ENTRY_BYTES_MAX ? 0 : bytes),
      0,
    );
    const small = copied + Math.ceil((2 * smallBytes) / pageSize);
    const fixed = COMMON_PAGES + sideBySide + Math.ceil(((copied + sideBySide) * PAGE_NUMBER_BYTES) / pageSize);
    const behind = Math.floor((this.#sizeBytes - (lastPageNumber + 1) * pageSize) / pageSize);
    const reusable = Math.max(0, free - this.#recent[0] - this.#recent[1]);
    const missing = fixed + Math.max(0, small - reusable) - behind;
    if (missing > 0) this.#extend(missing * pageSize);
    this.#recent = [this.#recent[1], fixed + small];
  }

  /** Fills up the reserve after a change. Never throws. */
  replenish(): void {
    const { pageSize, lastPageNumber } = this.#stats();
    const reserveBytes = this.#sizeBytes - (lastPageNumber + 1) * pageSize;
    if (reserveBytes >= RESERVE_BYTES_MIN) {
      this.#isShort = false;
      return;
    }
    const nowMs = performance.now();
    if (nowMs < this.#triedAtMs + RESERVE_EVERY_MS && this.#isShort) return;
    this.#triedAtMs = nowMs;
    try {
      this.#extend(RESERVE_BYTES - reserveBytes);
      this.#isShort = false;
    } catch {
      this.#isShort = true;
    }
  }

  /**
   * Writes a page of the reserve as a trial.
   * @throws the system's error
   */
  touch(): void {
    const bytes = Math.min(TOUCHED_BYTES, this.#sizeBytes - this.#lastPageEnd);
    if (bytes > 0) this.#write(bytes, this.#lastPageEnd);
  }

  /**
   * Extends the file.
   * @throws the system's error; what was written stays, and is of use
   */
  #extend(bytes: number): void {
    this.#write(bytes, this.#sizeBytes);
  }

  #write(bytes: number, from: number): void {
    const zeroes = Buffer.alloc(Math.min(bytes, RESERVE_BYTES));
    const fd = openSync(this.#file, 'r+');
    try {
      for (let done = 0; done < bytes;)
        done += writeSync(fd, zeroes, 0, Math.min(zeroes.length, bytes - done), from + done);
    } finally {
      closeSync(fd);
    }
  }

  get #sizeBytes(): number {
    return statSync(this.#file).size;
  }

  /** The store's size and free pages. lmdb does not count free pages: they are those in no tree. */
  #stats(): { readonly pageSize: number; readonly lastPageNumber: number; readonly free: number } {
    const stats = rootSchema.parse(this.#root.getStats());
    let used = META_PAGES + pagesOf(stats.root) + pagesOf(stats.free);
    for (const database of this.#databases) used += pagesOf(treeSchema.parse(database.getStats()));
    const { pageSize, lastPageNumber } = stats;
    this.#lastPageEnd = (lastPageNumber + 1) * pageSize;
    return { pageSize, lastPageNumber, free: Math.max(0, lastPageNumber + 1 - used) };
  }
}

const META_PAGES = 2;

function pagesOf({ treeBranchPageCount, treeLeafPageCount, overflowPages }: z.infer<typeof treeSchema>): number {
  return treeBranchPageCount + treeLeafPageCount + overflowPages;
}
