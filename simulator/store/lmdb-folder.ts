// An lmdb store that survives a failing disk. After a failed change the store is opened anew, and
// lmdb is not called again before the disk has taken another write. An lmdb that fails to write
// pages damages its process's memory a little each time (it died of "free(): invalid pointer" after
// some 1,000). One that fails to write a commit's last page refuses everything until it is opened
// again.
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { MoverError } from '../../contracts/errors.js';
import { prepareLockFile } from './lock-file.js';
import { isOutOfRoom, storageFailure } from './storage-failure.js';
import { DATA_FILE, StoreRoom } from './store-room.js';

/** Most databases of a store: more than any process has tables. */
const DATABASES_MAX = 32;
/**
 * Pauses before the next try after one failure, two and so on, in milliseconds; the last one for
 * all others.
 */
const PAUSES_MS = [0, 250, 1_000, 5_000, 30_000] as const;
/**
 * Pause between two looks whether a failed disk may be tried again, when nobody changes anything,
 * in milliseconds. `PAUSES_MS` decides when it may: a disk that failed long is found within 35 s.
 */
const RETRY_EVERY_MS = 5_000;

export interface LmdbFolderOptions {
  /** Made if missing. One process at a time may have it open. */
  readonly directory: string;
  readonly tables: readonly string[];
  /**
   * Whether a change is on stable storage when it returns (power loss). Otherwise it is only safe
   * against the death of the process.
   */
  readonly sync: boolean;
  readonly encoding: 'json' | 'string';
}

interface Opened<Value> {
  readonly root: RootDatabase;
  readonly tables: ReadonlyMap<string, Database<Value, string>>;
  readonly room: StoreRoom;
}

interface Failure {
  readonly error: MoverError;
  /** Start of the failure, by the wall clock: for people. */
  readonly sinceMs: number;
  /** Earliest next try, by the monotonic clock. */
  readonly retryAtMs: number;
}

export class LmdbFolder<Value> {
  readonly #options: LmdbFolderOptions;
  #opened: Opened<Value> | undefined;
  #failure: Failure | undefined;
  /** Failures in a row. */
  #failures = 0;
  /** lmdb failed at a change: the store is opened anew before the next one. */
  #isHarmed = false;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: LmdbFolderOptions) {
    this.#options = options;
  }

  /**
   * Opens the store if it is not open.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED
   */
  open(): void {
    this.#usable();
  }

  /**
   * The table for reading; opens the store if it is not open.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED when it can't be opened now; Error for an
   * unknown table
   */
  table(name: string): Database<Value, string> {
    const opened = this.#opened ?? this.#usable();
    return tableOf(opened, name);
  }

  /**
   * Makes all changes of `work`, or none.
   * @param entryBytes size of each entry that it writes or deletes
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED
   */
  change(entryBytes: readonly number[], work: (table: (name: string) => Database<Value, string>) => void): void {
    const opened = this.#usable();
    try {
      opened.room.ensure(entryBytes);
    } catch (cause) {
      // The store's room notes by itself that the disk is full.
      throw isOutOfRoom(cause) ? storageFailure(this.#options.directory, cause) : this.#failed(cause);
    }
    try {
      opened.root.transactionSync(() => work((name) => tableOf(opened, name)));
    } catch (cause) {
      this.#isHarmed = true;
      throw this.#failed(cause);
    }
    this.#failures = 0;
    opened.room.replenish();
  }

  /** What is wrong with the store, in a sentence; undefined when nothing is. */
  get note(): string | undefined {
    const { directory } = this.#options;
    if (this.#failure !== undefined) {
      const { error, sinceMs } = this.#failure;
      const since = new Date(sinceMs).toISOString();
      return `Changes can't be stored in ${directory} since ${since}: ${error.message} They are refused; everything stored before is safe. Check that disk: the store retries by itself.`;
    }
    return this.#opened?.room.isShort === true
      ? `The disk has no room for the reserve of the store in ${directory}: once the store is full, changes are refused. Make room on that disk.`
      : undefined;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    await this.#opened?.root.close();
  }

  /** The open store, opened anew if the last change failed and the disk works again. */
  #usable(): Opened<Value> {
    if (this.#opened !== undefined && this.#failure === undefined) return this.#opened;
    if (this.#failure !== undefined && performance.now() < this.#failure.retryAtMs) throw this.#failure.error;
    try {
      const opened = this.#reopened();
      this.#recovered();
      return opened;
    } catch (cause) {
      throw this.#failed(cause);
    }
  }

  /**
   * Opens the store anew.
   * @throws the system's error while the disk takes nothing: lmdb is not called then
   */
  #reopened(): Opened<Value> {
    const former = this.#opened;
    if (former !== undefined) {
      this.#tryDisk(former.room);
      if (!this.#isHarmed) return former;
      this.#opened = undefined;
      // Nothing is under way, so the store is closed when this returns.
      void former.root.close();
    }
    this.#opened = openLmdb<Value>(this.#options);
    this.#isHarmed = false;
    return this.#opened;
  }

  #tryDisk(room: StoreRoom): void {
    room.touch();
    if (!this.#options.sync) return;
    const fd = openSync(join(this.#options.directory, DATA_FILE), 'r+');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  #recovered(): void {
    this.#failure = undefined;
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }

  #failed(cause: unknown): MoverError {
    const error = storageFailure(this.#options.directory, cause);
    this.#failures += 1;
    const pauseMs = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length) - 1] ?? 0;
    const sinceMs = this.#failure?.sinceMs ?? Date.now();
    this.#failure = { error, sinceMs, retryAtMs: performance.now() + pauseMs };
    this.#retryLater();
    return error;
  }

  /**
   * Tries a failed disk again later, so that its recovery is noticed though nobody changes
   * anything.
   */
  #retryLater(): void {
    if (this.#retry !== undefined || this.#isClosed) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      try {
        this.#usable();
      } catch {
        this.#retryLater();
      }
    }, RETRY_EVERY_MS);
    this.#retry.unref();
  }
}

function openLmdb<Value>({ directory, tables, sync, encoding }: LmdbFolderOptions): Opened<Value> {
  mkdirSync(directory, { recursive: true });
  prepareLockFile(directory);
  // `overlappingSync` would let a commit return before its data is synced.
  const root = open({ path: directory, maxDbs: DATABASES_MAX, noSync: !sync, overlappingSync: false, encoding });
  const databases = new Map(tables.map((name) => [name, root.openDB<Value, string>({ name, encoding })]));
  return { root, tables: databases, room: new StoreRoom(directory, root, [...databases.values()]) };
}

function tableOf<Value>({ tables }: Opened<Value>, name: string): Database<Value, string> {
  const table = tables.get(name);
  if (table === undefined) throw new Error(`The store has no table "${name}".`);
  return table;
}
