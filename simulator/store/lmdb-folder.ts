// An lmdb store that outlives a disk that fails: after a failed change it is opened anew, and lmdb
// is not asked again before the disk took something else. An lmdb that fails to write pages damages
// its process's memory a little each time (it died of "free(): invalid pointer" after some 1,000),
// and one that fails to write the page that a commit ends with refuses everything until it is
// opened again.
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { MoverError } from '../../contracts/errors.js';
import { prepareLockFile } from './lock-file.js';
import { isOutOfRoom, storageFailure } from './storage-failure.js';
import { DATA_FILE, StoreRoom } from './store-room.js';

/** A database of lmdb beside the tables, with room for a few more than any process has. */
const DATABASES_MAX = 32;
/**
 * Pauses before the next try after one that failed, after two and so on; the last one for all
 * others. Milliseconds.
 */
const PAUSES_MS = [0, 250, 1_000, 5_000, 30_000] as const;
/** How often a disk that failed is looked at when nobody changes anything, in milliseconds. */
const LOOK_EVERY_MS = 5_000;

export interface LmdbFolderOptions {
  /** Made if missing. One process at a time may have it open. */
  readonly directory: string;
  readonly tables: readonly string[];
  /**
   * Also on stable storage when a change returns (power loss); otherwise only safe against the
   * death of the process.
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
  /** By the wall clock, for people. */
  readonly sinceMs: number;
  /** By the monotonic clock: before that nothing is tried. */
  readonly retryAtMs: number;
}

export class LmdbFolder<Value> {
  readonly #options: LmdbFolderOptions;
  #opened: Opened<Value> | undefined;
  #failure: Failure | undefined;
  /** Tries that failed, one after another. */
  #failures = 0;
  /** lmdb failed at a change: it is opened anew before the next one. */
  #isHarmed = false;
  #look: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: LmdbFolderOptions) {
    this.#options = options;
  }

  /** Opens it, if it is not open. @throws MoverError STORAGE_FULL, STORAGE_FAILED */
  open(): void {
    this.#usable();
  }

  /**
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED when it can't be opened now; Error for a table
   * that it does not have
   */
  table(name: string): Database<Value, string> {
    const opened = this.#opened ?? this.#usable();
    return tableOf(opened, name);
  }

  /**
   * All that the work changes, or nothing.
   * @param entryBytes of each entry that it writes or deletes
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED
   */
  change(entryBytes: readonly number[], work: (table: (name: string) => Database<Value, string>) => void): void {
    const opened = this.#usable();
    try {
      opened.room.ensure(entryBytes);
    } catch (cause) {
      // Room that is missing is told of by the room itself.
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

  /** What it lacks, in a sentence. */
  get note(): string | undefined {
    const { directory } = this.#options;
    if (this.#failure !== undefined) {
      const { error, sinceMs } = this.#failure;
      const since = new Date(sinceMs).toISOString();
      return `Changes can't be stored in ${directory} since ${since}: ${error.message} They are refused, and all that was stored is there. Look at that disk: it is tried again by itself.`;
    }
    return this.#opened?.room.isShort === true
      ? `There is no room for the reserve of the store in ${directory}: once it is full, changes are refused. Make room on its disk.`
      : undefined;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#look);
    await this.#opened?.root.close();
  }

  /** The store, opened anew if the last change failed and the disk works again. */
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

  /** @throws the system's error while the disk takes nothing: lmdb is not asked then */
  #reopened(): Opened<Value> {
    const former = this.#opened;
    if (former !== undefined) {
      this.#tryDisk(former.room);
      if (!this.#isHarmed) return former;
      this.#opened = undefined;
      // Nothing is under way: it is closed when this returns.
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
    clearTimeout(this.#look);
    this.#look = undefined;
  }

  #failed(cause: unknown): MoverError {
    const error = storageFailure(this.#options.directory, cause);
    this.#failures += 1;
    const pauseMs = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length) - 1] ?? 0;
    const sinceMs = this.#failure?.sinceMs ?? Date.now();
    this.#failure = { error, sinceMs, retryAtMs: performance.now() + pauseMs };
    this.#lookLater();
    return error;
  }

  /** So that a disk that works again is told of, though nobody changes anything. */
  #lookLater(): void {
    if (this.#look !== undefined || this.#isClosed) return;
    this.#look = setTimeout(() => {
      this.#look = undefined;
      try {
        this.#usable();
      } catch {
        this.#lookLater();
      }
    }, LOOK_EVERY_MS);
    this.#look.unref();
  }
}

function openLmdb<Value>({ directory, tables, sync, encoding }: LmdbFolderOptions): Opened<Value> {
  mkdirSync(directory, { recursive: true });
  prepareLockFile(directory);
  // `overlappingSync` lets a commit return before its data is synced: never wanted here.
  const root = open({ path: directory, maxDbs: DATABASES_MAX, noSync: !sync, overlappingSync: false, encoding });
  const databases = new Map(tables.map((name) => [name, root.openDB<Value, string>({ name, encoding })]));
  return { root, tables: databases, room: new StoreRoom(directory, root, [...databases.values()]) };
}

function tableOf<Value>({ tables }: Opened<Value>, name: string): Database<Value, string> {
  const table = tables.get(name);
  if (table === undefined) throw new Error(`The store has no table "${name}".`);
  return table;
}
