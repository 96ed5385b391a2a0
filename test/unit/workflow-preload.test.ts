// What the workflows of a worker share: every contract that they use, with schemas that still work
// once they are frozen.
import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { completeSchemas } from '../../contracts/complete-schemas.js';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
/** An import of values, with its path. */
const VALUE_IMPORT = /^(?:import|export)(?! type\b)[^;]*? from '(?<path>\.[^']+)\.js'/gm;

/** The project's files that a file needs at run time, by path, itself included. */
function neededBy(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const { groups } of readFileSync(resolve(PROJECT, file), 'utf8').matchAll(VALUE_IMPORT))
    neededBy(relative(PROJECT, resolve(PROJECT, dirname(file), `${groups?.['path']}.ts`)), found);
  return found;
}

const contracts = (file: string): string[] => [...neededBy(file)].filter((path) => path.startsWith('contracts/'));

test('each contract that a workflow needs is shared, and completed by name', () => {
  const shared = readFileSync(resolve(PROJECT, 'workflows/shared/preload.ts'), 'utf8');
  const completed = [...shared.matchAll(/^import \* as \w+ from '\.\.\/\.\.\/(.+)\.js'/gm)].map(
    ([, path]) => `${path}.ts`,
  );

  expect(completed.toSorted()).toEqual(contracts('workflows/index.ts').toSorted());
  const loaded = contracts('workflows/shared/preload.ts').filter((path) => path !== 'contracts/complete-schemas.ts');
  expect(completed.toSorted()).toEqual(loaded.toSorted());
});

describe('a completed schema', () => {
  const inner = z.strictObject({ size: z.int().min(1) });
  const exported = { inner, deeper: { list: [z.array(inner)] }, notASchema: 'text', nothing: undefined };
  completeSchemas(exported);

  test('is frozen, wherever it stands', () => {
    expect([inner, exported.deeper.list[0]].map((schema) => Object.isFrozen(schema))).toEqual([true, true]);
  });

  test('parses, refuses and describes itself as before', () => {
    expect(exported.deeper.list[0]?.parse([{ size: 1 }])).toEqual([{ size: 1 }]);
    expect(inner.safeParse({ size: 0 }).success).toBe(false);
    expect(Object.keys(inner.shape)).toEqual(['size']);
  });

  test('is still a base for others', () => {
    const larger = inner.extend({ name: z.string() }).optional();
    expect(larger.parse({ size: 2, name: 'a' })).toEqual({ size: 2, name: 'a' });
    expect(inner.loose().parse({ size: 2, more: 1 })).toEqual({ size: 2, more: 1 });
  });
});

test('holders that name each other are walked once', () => {
  const schema = z.string();
  const holder: Record<string, unknown> = { schema };
  holder['self'] = holder;
  completeSchemas(holder);
  expect(Object.isFrozen(schema)).toBe(true);
});
