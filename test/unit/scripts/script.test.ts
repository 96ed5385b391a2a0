// The runner of scripts: what differs is found, what is mistyped is named, and no refusal of the
// cores is without a script.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MoverError } from '../../../contracts/errors.js';
import { type Command, folded, outputOf, type World } from './script.js';

/** Counts, says words again, and refuses. */
class Counter implements World {
  #count = 0;

  run(command: Command): string[] {
    if (command.name === 'say') return [...command.words, command.option('also') ?? ''].filter((word) => word !== '');
    if (command.name === 'refuse') throw new MoverError('NOT_FENCED', 'no fence');
    if (command.name !== 'count') throw new Error(`there is no command "${command.name}"`);
    this.#count += command.number('by') ?? 1;
    return [];
  }

  state(): ReadonlyMap<string, string> {
    return new Map(this.#count > 9 ? [] : [['counter', String(this.#count)]]);
  }
}

const SCRIPT = `# What it proves.

# Why.
count by=2
say "two words" also="and more"
----
two words
and more
counter  2

count by=0
----
ok

refuse
count by=8
----
NOT_FENCED: no fence
counter  gone
`;

test('a script that tells the truth comes out as it is', async () => {
  await expect(outputOf(SCRIPT, new Counter())).resolves.toBe(SCRIPT);
});

test('output that is missing, too much or another one is put right', async () => {
  const wrong = SCRIPT.replace('counter  2\n', '').replace('ok', 'counter  3').replace('no fence', 'none');
  await expect(outputOf(wrong, new Counter())).resolves.toBe(SCRIPT);
});

test.each([
  ['a command that there is not', '# x.\n\njump\n----\n', 'line 3: jump'],
  ['an option that nobody reads', '# x.\n\nsay yes aloud=1\n----\n', 'line 3: say yes aloud=1'],
  ['a word for a number', '# x.\n\ncount by=two\n----\n', 'line 3: count by=two'],
])('%s is named with its line', async (_what, script, message) => {
  await expect(outputOf(script, new Counter())).rejects.toThrow(message);
});

test('a last block without its end is refused', async () => {
  await expect(outputOf('# x.\n\nsay yes\n', new Counter())).rejects.toThrow('lacks its ----');
});

test('groups of lines that come more than twice in a row are folded, others are not', () => {
  const lines = (text: string): string[] => text.split(' ');
  expect(folded(lines('a b a b a b c c d'))).toEqual(['a', 'b', '… 2 times more', 'c', 'c', 'd']);
  expect(folded(lines('a a a a b a'))).toEqual(['a', '… 3 times more', 'b', 'a']);
  expect(folded([])).toEqual([]);
});

/** Codes that the sources raise by name. */
function raisedIn(...paths: string[]): Set<string> {
  const codes = new Set<string>();
  for (const path of paths) {
    const source = readFileSync(join(import.meta.dirname, '../../..', path), 'utf8');
    for (const [, code = ''] of source.matchAll(/new MoverError\(\s*'(?<code>[A-Z_]+)'/g)) codes.add(code);
  }
  return codes;
}

/** Codes that stand at the beginning of a line of output. */
function refusedIn(folder: string): Set<string> {
  const path = join(import.meta.dirname, folder);
  const texts = readdirSync(path).map((file) => readFileSync(join(path, file), 'utf8'));
  return new Set(texts.flatMap((text) => [...text.matchAll(/^(?<code>[A-Z_]+): /gm)].map(([, code = '']) => code)));
}

test.each([
  [
    'splitter',
    [
      'simulator/splitter/core/splitter-core.ts',
      'simulator/splitter/core/volume-split.ts',
      'simulator/splitter/core/attempt-guards.ts',
    ],
  ],
  ['replica-site', ['simulator/replica-site/core/attempts.ts']],
])('each refusal of the core is in a script: %s', (folder, sources) => {
  const raised = raisedIn(...sources);
  expect(raised.size).toBeGreaterThan(5);
  const refused = refusedIn(folder);
  expect([...raised].filter((code) => !refused.has(code))).toEqual([]);
});
