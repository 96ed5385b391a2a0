// Text store in memory for reports and plans, in worlds that keep no files.
import type { TextStore } from '../../simulator/store/text-store.js';

export function memoryTexts(): TextStore {
  const tables = new Map<string, Map<string, string>>();
  const keysOf = (table: string, prefix: string): string[] =>
    [...(tables.get(table)?.keys() ?? [])].filter((key) => key.startsWith(prefix)).toSorted();
  return {
    get: (table, key) => tables.get(table)?.get(key),
    *range(table, { prefix, after, reverse = false }) {
      const keys = keysOf(table, prefix);
      for (const key of reverse ? keys.toReversed() : keys) {
        if (after !== undefined && (reverse ? key >= after : key <= after)) continue;
        yield [key, tables.get(table)?.get(key) ?? ''];
      }
    },
    count: (table, prefix) => keysOf(table, prefix).length,
    commit: (changes) => {
      for (const { table, key, text } of changes) {
        const entries = tables.get(table) ?? new Map<string, string>();
        tables.set(table, entries);
        if (text === undefined) entries.delete(key);
        else entries.set(key, text);
      }
    },
    close: async () => {},
  };
}
