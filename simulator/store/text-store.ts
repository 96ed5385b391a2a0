// What is kept for ever and read on demand: texts by key, in several tables, of which nothing is
// held in memory.
import { LmdbFolder } from './lmdb-folder.js';

export interface TextStoreOptions {
  /** Made if missing. One process at a time may have it open. */
  readonly directory: string;
  readonly tables: readonly string[];
  /** As of the row store: also safe against power loss. */
  readonly sync?: boolean;
}

export interface TextChange {
  readonly table: string;
  readonly key: string;
  /** Absent: the entry is deleted. */
  readonly text?: string;
}

export interface TextRange {
  /** Keys that begin so. */
  readonly prefix: string;
  /** Only what comes behind this key, in the direction of reading. */
  readonly after?: string | undefined;
  /** The last one first. */
  readonly reverse?: boolean;
}

export interface TextStore {
  get(table: string, key: string): string | undefined;
  /**
   * Read as it goes: whoever stops early has read no more. Nothing may be awaited or changed in
   * between.
   */
  range(table: string, range: TextRange): Iterable<readonly [key: string, text: string]>;
  /** How many keys begin so, by a walk over all of them. */
  count(table: string, prefix: string): number;
  /**
   * All changes or none; safe against the death of the process when it returns.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED
   */
  commit(changes: Iterable<TextChange>): void;
  /** What it lacks, in a sentence. */
  readonly note?: string | undefined;
  close(): Promise<void>;
}

/** Behind every key that begins with a prefix of printable ASCII. */
const BEHIND = '\u{7F}';

/**
 * Keys are printable ASCII and spaces, at most 1,900 characters. A store that can't be opened now
 * is opened at a later call: until then each one is refused (STORAGE_FULL, STORAGE_FAILED), and
 * `note` tells why.
 */
export function openTextStore({ directory, tables, sync = false }: TextStoreOptions): TextStore {
  const folder = new LmdbFolder<string>({ directory, tables, sync, encoding: 'string' });
  try {
    folder.open();
  } catch {
    // The folder has noted it.
  }
  return {
    get: (name, key) => folder.table(name).get(key),
    *range(name, { prefix, after, reverse = false }) {
      const behind = `${prefix}${BEHIND}`;
      // lmdb leaves out the end, and reads from the higher key to the lower one when reversed.
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
