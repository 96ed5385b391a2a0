// Texts by key in several tables, kept for ever and read on demand: none is held in memory.
import { LmdbFolder } from './lmdb-folder.js';

export interface TextStoreOptions {
  /** Made if missing. One process at a time may have it open. */
  readonly directory: string;
  readonly tables: readonly string[];
  /** Whether a change is on stable storage when it returns, as in the row store. */
  readonly sync?: boolean;
}

export interface TextChange {
  readonly table: string;
  readonly key: string;
  /** Absent: the entry is deleted. */
  readonly text?: string;
}

export interface TextRange {
  /** What the keys begin with. */
  readonly prefix: string;
  /** Starts behind this key, in the direction of reading. */
  readonly after?: string | undefined;
  /** Reads from the last key to the first. */
  readonly reverse?: boolean;
}

export interface TextStore {
  get(table: string, key: string): string | undefined;
  /**
   * Reads entries while it is iterated: who stops early has read no more. Nothing may be awaited or
   * changed meanwhile.
   */
  range(table: string, range: TextRange): Iterable<readonly [key: string, text: string]>;
  /** Counts the keys with the prefix, by a walk over all of them. */
  count(table: string, prefix: string): number;
  /**
   * Makes all changes or none; they survive the death of the process when it returns.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED
   */
  commit(changes: Iterable<TextChange>): void;
  /** What is wrong with the store, in a sentence. */
  readonly note?: string | undefined;
  close(): Promise<void>;
}

/** Sorts behind every key of printable ASCII with the same prefix. */
const BEHIND = '\u{7F}';

/**
 * Opens a store of texts. Keys are printable ASCII and spaces, at most 1,900 characters. A store
 * that can't be opened now is opened at a later call. Until then every call is refused
 * (STORAGE_FULL, STORAGE_FAILED), and `note` says why.
 */
export function openTextStore({ directory, tables, sync = false }: TextStoreOptions): TextStore {
  const folder = new LmdbFolder<string>({ directory, tables, sync, encoding: 'string' });
  try {
    folder.open();
  } catch {
    // `note` says why.
  }
  return {
    get: (name, key) => folder.table(name).get(key),
    *range(name, { prefix, after, reverse = false }) {
      const behind = `${prefix}${BEHIND}`;
      // lmdb excludes the end, and a reversed range goes from the higher key to the lower.
      const bounds = reverse
        ? { start: lower(after, behind), end: prefix, reverse }
        : { start: higher(after, prefix), end: behind };
      for (const { key, value } of folder.table(name).getRange(bounds)) {
        if (key === after || !key.startsWith(prefix)) continue;
        yield [key, value];
      }
    },
    count: (name, prefix) => folder.table(name).getKeysCount({ start: prefix, end: `${prefix}${BEHIND}` }),
    commit: (changes) => {
      const all = [...changes];
      const entryBytes = all.map(({ key, text = '' }) => key.length + Buffer.byteLength(text));
      folder.change(entryBytes, (table) => {
        for (const { table: name, key, text } of all) {
          if (text === undefined) table(name).removeSync(key);
          else table(name).putSync(key, text);
        }
      });
    },
    get note() {
      return folder.note;
    },
    close: async () => folder.close(),
  };
}

function lower(a: string | undefined, b: string): string {
  return a === undefined || a > b ? b : a;
}

function higher(a: string | undefined, b: string): string {
  return a === undefined || a < b ? b : a;
}
