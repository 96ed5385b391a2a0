// What a simulator process must remember: rows in tables, changed in one transaction, kept across
// kill -9 at any moment.
import { mkdirSync } from 'node:fs';
import { type Database, open } from 'lmdb';
import { prepareLockFile } from './lock-file.js';
import { storageFailure } from './storage-failure.js';
import { StoreRoom } from './store-room.js';

export interface RowStoreOptions {
  /** Made if missing. One process at a time may have it open. */
  readonly directory: string;
  readonly tables: readonly string[];
  /**
   * Also on stable storage when `commit` returns (power loss); otherwise only safe against the
   * death of the process.
   */
  readonly sync?: boolean;
}

export interface RowChange {
  readonly table: string;
  readonly key: string;
  /** JSON; absent: the row is deleted. */
  readonly value?: unknown;
}

export interface RowStore {
  /** All rows of a table in the order of their keys, as they are when the iteration starts. */
  rows(table: string): Iterable<readonly [key: string, value: unknown]>;
  /**
   * All changes or none, durable when it returns. After a failure the store is as it was before,
   * and goes on: the caller publishes a change to its memory only after this has returned.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED; Error for a change that no store could take
   */
  commit(changes: readonly RowChange[]): void;
  /** What it lacks, in a sentence: the space that is kept for changes on a full disk. */
  readonly note?: string | undefined;
  close(): Promise<void>;
}

/** A database of lmdb beside the tables, with room for a few more than any process has. */
const DATABASES_MAX = 32;
/** lmdb's longest key, in bytes, with the default page size. */
const KEY_BYTES_MAX = 1_978;

/** @throws Error when the folder or its files can't be used, or hold something else. */
export function openRowStore({ directory, tables, sync = false }: RowStoreOptions): RowStore {
  mkdirSync(directory, { recursive: true });
  prepareLockFile(directory);
  // `overlappingSync` lets a commit return before its data is synced: never wanted here.
  const root = open({
    path: directory,
    maxDbs: DATABASES_MAX,
    noSync: !sync,
    overlappingSync: false,
    encoding: 'json',
  });
  const databases = new Map<string, Database<unknown, string>>(
    tables.map((name) => [name, root.openDB<unknown, string>({ name, encoding: 'json' })]),
  );
  const room = new StoreRoom(directory, root, [...databases.values()]);
  const table = (name: string): Database<unknown, string> => {
    const database = databases.get(name);
    if (database === undefined) throw new Error(`The store has no table "${name}".`);
    return database;
  };
  return {
    *rows(name) {
      for (const { key, value } of table(name).getRange()) yield [key, value];
    },
    commit: (changes) => {
      if (changes.length === 0) return;
      for (const { table: name, key } of changes) {
        table(name);
        if (Buffer.byteLength(key) > KEY_BYTES_MAX)
          throw new Error(`The key "${key.slice(0, 100)}…" is too long for the store.`);
      }
      try {
        room.ensure(changes.map(({ key, value }) => Buffer.byteLength(key) + bytesOf(value)));
        root.transactionSync(() => {
          for (const { table: name, key, value } of changes) {
            if (value === undefined) table(name).removeSync(key);
            else table(name).putSync(key, value);
          }
        });
      } catch (cause) {
        throw storageFailure(directory, cause);
      }
      room.replenish();
    },
    get note() {
      return room.isShort
        ? `There is no room for the reserve of the store in ${directory}: once it is full, changes are refused. Make room on its disk.`
        : undefined;
    },
    close: async () => root.close(),
  };
}

function bytesOf(value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));
}
