// Traces of Quint in the Informal Trace Format (apalache-mc.org/docs/adr/015adr-trace.html), as
// plain values.

/** A value of a trace: maps are lists of pairs, sets are lists. */
export type Value = boolean | number | string | readonly Value[] | { readonly [key: string]: Value };

/** Turns one ITF value into a plain one. */
export function plain(value: unknown): Value {
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) throw new Error(`no ITF value: ${String(value)}`);
  const entries: [string, unknown][] = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1 && first !== undefined) {
    const [tag, content] = first;
    if (tag === '#bigint') return Number(content);
    if (tag === '#map' || tag === '#set' || tag === '#tup') return plain(content);
  }
  return Object.fromEntries(entries.flatMap(([key, entry]) => (key.startsWith('#') ? [] : [[key, plain(entry)]])));
}
