// docs/operating.md has every variable of every process: the table is held against the code that
// each process loads, and against the SDK's reader of settings.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8');

const ENTRIES = {
  worker: 'workers/main.ts',
  command: 'client/cli/main.ts',
  splitter: 'simulator/splitter/main.ts',
  appliance: 'simulator/appliance/main.ts',
  site: 'simulator/replica-site/main.ts',
} as const;

const IMPORT = /^(?:import|export)(?! type\b)[^;]*?from '(\.[^']+)'|^import '(\.[^']+)'|import\('(\.[^']+)'\)/gm;
/** A name in quotes, or as a field of a schema. A name within a sentence is no reading. */
const NAME = /'(VOLUME_MOVER_[A-Z0-9_]+)'|^\s*(VOLUME_MOVER_[A-Z0-9_]+):/gm;

/** What a worker gives to the programs of its hooks, and reads nowhere: docs/hooks.md has them. */
const GIVEN_TO_HOOKS = /^VOLUME_MOVER_HOOK_/;

/** The files that an entry loads. */
function loadedBy(entry: string): Set<string> {
  const loaded = new Set<string>();
  const left = [entry];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (loaded.has(file)) continue;
    loaded.add(file);
    for (const [, ...paths] of readFileSync(join(ROOT, file), 'utf8').matchAll(IMPORT)) {
      const path = normalize(join(dirname(file), paths.find((found) => found !== undefined) ?? ''));
      const source = path.replace(/\.js$/, '.ts');
      if (existsSync(join(ROOT, source))) left.push(source);
    }
  }
  return loaded;
}

/** The variables in the code, each with the processes that read it. */
function inCode(): Map<string, string[]> {
  const readers = new Map<string, string[]>();
  for (const [process, entry] of Object.entries(ENTRIES)) {
    const names = [...loadedBy(entry)].flatMap((file) =>
      [...readFileSync(join(ROOT, file), 'utf8').matchAll(NAME)].map(([, quoted, field]) => quoted ?? field ?? ''),
    );
    for (const name of new Set(names.filter((each) => !GIVEN_TO_HOOKS.test(each))))
      readers.set(name, [...(readers.get(name) ?? []), process]);
  }
  return readers;
}

/** The rows of the table that begins under a heading: its first two cells. */
function rowsUnder(heading: string): [string, string][] {
  const section = PAGE.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| (`[^|]+?) *\| ([^|]+?) *\|/gm)].map(([, names = '', next = '']) => [names, next]);
}

const namesIn = (cell: string): string[] => [...cell.matchAll(/`([A-Z0-9_*]+)`/g)].map(([, name = '']) => name);

test('every variable of every process stands in the table, with those that read it', () => {
  const inPage = rowsUnder('Every variable').flatMap(([names, readers]) =>
    namesIn(names).map((name): [string, string[]] => [
      name,
      readers === 'all' ? Object.keys(ENTRIES) : readers.split(', ').sort(),
    ]),
  );
  const ordered = (map: Iterable<readonly [string, readonly string[]]>) =>
    [...map].map(([name, readers]) => `${name}: ${[...readers].sort().join(', ')}`).sort();
  const found = inCode();
  expect(found.size).toBeGreaterThan(30);
  expect(ordered(inPage)).toEqual(ordered(found));
});

test('every variable of Temporal that the SDK reads stands in the table of its settings', () => {
  const module = createRequire(import.meta.url).resolve('@temporalio/envconfig');
  const code = readFileSync(join(dirname(module), 'envconfig-toml.js'), 'utf8');
  const read = new Set([...code.matchAll(/'(TEMPORAL_[A-Z0-9_]+)'/g)].map(([, name = '']) => name));
  expect(read.size).toBeGreaterThan(10);
  const inPage = rowsUnder('Which Temporal server').flatMap(([names]) => namesIn(names));
  const withData = inPage.flatMap((name) => [name, name.replace(/_PATH$/, '_DATA'), name.replace(/\*$/, '')]);
  expect([...read].filter((name) => !withData.includes(name))).toEqual([]);
});
