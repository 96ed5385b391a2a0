// What a simulator process must remember: rows in tables, changed in one transaction, kept across
// kill -9 at any moment.
import { LmdbFolder } from './lmdb-folder.js';
import { storageFailure } from './storage-failure.js';

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

/** lmdb's longest key, in bytes, with the default page size. */
const KEY_BYTES_MAX = 1_978;

/**
 * @throws MoverError STORAGE_FULL, STORAGE_FAILED when the folder or its files can't be used, or
 * hold something else
 */
export function openRowStore({ directory, tables, sync = false }: RowStoreOptions): RowStore {
  const folder = new LmdbFolder<unknown>({ directory, tables, sync, encoding: 'json' });
  folder.open();
  return {
    *rows(name) {
      for (const { key, value } of folder.table(name).getRange()) yield [key, value];
    },
    commit: (changes) => {
      if (changes.length === 0) return;
      for (const { table, key } of changes) {
        if (!tables.includes(table)) throw new Error(`The store has no table "${table}".`);
        if (Buffer.byteLength(key) > KEY_BYTES_MAX)
          throw new Error(`The key "${key.slice(0, 100)}…" is too long for the store.`);
      }
      folder.change(sizesOf(changes, directory), (table) => {
        for (const { table: name, key, value } of changes) {
          if (value === undefined) table(name).removeSync(key);
          else table(name).putSync(key, value);
        }
      });
    },
    get note() {
      return folder.note;
    },
    close: async () => folder.close(),
  };
}

/** @throws MoverError STORAGE_FULL, STORAGE_FAILED for a value that can't be written as JSON */
function sizesOf(changes: readonly RowChange[], directory: string): number[] {
  try {
    return changes.map(({ key, value }) => Buffer.byteLength(key) + bytesOf(value));
  } catch (cause) {
    throw storageFailure(directory, cause);
  }
}

function bytesOf(value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));
}
