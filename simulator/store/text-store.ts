// What is kept for ever and read on demand: texts by key, in several tables, of which nothing is
// held in memory.
import { mkdirSync } from 'node:fs';
import { type Database, open } from 'lmdb';
import { prepareLockFile } from './lock-file.js';
import { storageFailure } from './storage-failure.js';
import { StoreRoom } from './store-room.js';

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
  close(): Promise<void>;
}

const DATABASES_MAX = 16;
/** Behind every key that begins with a prefix of printable ASCII. */
const BEHIND = '\u{7F}';

/**
 * Keys are printable ASCII and spaces, at most 1,900 characters.
 * @throws Error when the folder or its files can't be used
 */
export function openTextStore({ directory, tables, sync = false }: TextStoreOptions): TextStore {
  mkdirSync(directory, { recursive: true });
  prepareLockFile(directory);
  // `overlappingSync` lets a commit return before its data is synced: never wanted here.
  const root = open({ path: directory, maxDbs: DATABASES_MAX, noSync: !sync, overlappingSync: false });
  const databases = new Map<string, Database<string, string>>(
    tables.map((name) => [name, root.openDB<string, string>({ name, encoding: 'string' })]),
  );
  const room = new StoreRoom(directory, root, [...databases.values()]);
  const table = (name: string): Database<string, string> => {
    const database = databases.get(name);
    if (database === undefined) throw new Error(`The store has no table "${name}".`);
    return database;
  };
  return {
    get: (name, key) => table(name).get(key),
    *range(name, { prefix, after, reverse = false }) {
      const behind = `${prefix}${BEHIND}`;
      // lmdb leaves out the end, and reads from the higher key to the lower one when reversed.
      const bounds = reverse
        ? { start: lower(after, behind), end: prefix, reverse }
        : { start: higher(after, prefix), end: behind };
      for (const { key, value } of table(name).getRange(bounds)) {
        if (key === after || !key.startsWith(prefix)) continue;
        yield [key, value];
      }
    },
    count: (name, prefix) => table(name).getKeysCount({ start: prefix, end: `${prefix}${BEHIND}` }),
    commit: (changes) => {
      const all = [...changes];
      try {
        room.ensure(all.map(({ key, text = '' }) => key.length + Buffer.byteLength(text)));
        root.transactionSync(() => {
          for (const { table: name, key, text } of all) {
            if (text === undefined) table(name).removeSync(key);
            else table(name).putSync(key, text);
          }
        });
      } catch (cause) {
        throw storageFailure(directory, cause);
      }
      room.replenish();
    },
    close: async () => root.close(),
  };
}

function lower(a: string | undefined, b: string): string {
  return a === undefined || a > b ? b : a;
}

function higher(a: string | undefined, b: string): string {
  return a === undefined || a < b ? b : a;
}
