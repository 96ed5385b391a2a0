// The state of a simulator process: rows in tables, changed in transactions, and kept across kill
// -9 at any moment.
import { LmdbFolder } from './lmdb-folder.js';
import { storageFailure } from './storage-failure.js';

export interface RowStoreOptions {
  /** Made if missing. One process at a time may have it open. */
  readonly directory: string;
  readonly tables: readonly string[];
  /**
   * Whether a change is on stable storage when `commit` returns (power loss). Otherwise it is only
   * safe against the death of the process.
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
  /** All rows of a table, ordered by key, as they are when the iteration starts. */
  rows(table: string): Iterable<readonly [key: string, value: unknown]>;
  /**
   * Makes all changes or none; they are durable when it returns. A failure leaves the store
   * unchanged and usable. So publish a change in memory only after this returns.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED; Error for a change that no store could take
   */
  commit(changes: readonly RowChange[]): void;
  /**
   * What is wrong with the store, in a sentence: the disk fails, or lacks the reserve for changes.
   */
  readonly note?: string | undefined;
  close(): Promise<void>;
}

/** lmdb's longest key, in bytes, with the default page size. */
const KEY_BYTES_MAX = 1_978;

/**
 * Opens or makes a store.
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

/**
 * Sizes of the changed entries, in bytes.
 * @throws MoverError STORAGE_FULL, STORAGE_FAILED for a value that can't be written as JSON
 */
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
