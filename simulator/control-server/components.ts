// Tidies the schemas of a generated OpenAPI document: one name where request and answer agree, and
// no unused name.

const PREFIX = '#/components/schemas/';
const INPUT_SUFFIX = 'Input';

/**
 * Names of components with the suffix "Input" whose schema equals the one without the suffix, once
 * all such names are merged.
 */
export function mergeable(schemas: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  let merged = new Set(
    Object.keys(schemas).filter((name) => outputName(name) in schemas && name.endsWith(INPUT_SUFFIX)),
  );
  // A pair that differs makes the schemas that refer to it differ too: repeat until nothing
  // changes.
  for (;;) {
    const same = (name: string): boolean =>
      JSON.stringify(renamed(schemas[name], merged)) === JSON.stringify(renamed(schemas[outputName(name)], merged));
    const kept = new Set([...merged].filter(same));
    if (kept.size === merged.size) return merged;
    merged = kept;
  }
}

/** The JSON value with references to components of `merged` renamed to drop "Input". */
export function renamed(value: unknown, merged: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, merged));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, child]): [string, unknown] => {
    const name = key === '$ref' ? referred(child) : undefined;
    return [key, name !== undefined && merged.has(name) ? `${PREFIX}${outputName(name)}` : renamed(child, merged)];
  });
  return Object.fromEntries(entries);
}

/** Names of the components that `root` refers to, directly or through others. */
export function reachable(root: unknown, schemas: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      const name = key === '$ref' ? referred(child) : undefined;
      if (name === undefined) visit(child);
      else if (!found.has(name)) {
        found.add(name);
        visit(schemas[name]);
      }
    }
  };
  visit(root);
  return found;
}

function outputName(name: string): string {
  return name.slice(0, -INPUT_SUFFIX.length);
}

function referred(reference: unknown): string | undefined {
  return typeof reference === 'string' && reference.startsWith(PREFIX) ? reference.slice(PREFIX.length) : undefined;
}
