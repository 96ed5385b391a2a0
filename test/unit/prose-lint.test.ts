// The lint's own rules for comments: planted violations are found, and nothing else is.
import { expect, test } from 'vitest';
import { lint } from '../support/lint.js';

const LONG = 'words '.repeat(20).trim();

const PLANTS: ReadonlyMap<string, { readonly text: string; readonly breaks?: string }> = new Map([
  ['a wide line', { text: `// ${LONG}\nexport {};\n`, breaks: 'prose(comment-width)' }],
  ['a wide docstring', { text: `/** ${LONG} */\nexport const a = 1;\n`, breaks: 'prose(comment-width)' }],
  ['a long address', { text: `// https://example.org/${'a'.repeat(120)}\nexport {};\n` }],
  ['a comment behind code', { text: `export const a = 1; // ${LONG}\n` }],
  [
    'a docstring that begins with a circumstance',
    { text: '/** After the commit, bytes on the disk. */\nexport const a = 1;\n', breaks: 'prose(doc-subject-first)' },
  ],
  ['a docstring that fits', { text: '/** Bytes on the disk. */\nexport const a = 1;\n' }],
]);
const fileOf = (name: string): string => `control/${name.replaceAll(' ', '-')}.ts`;

test('each planted violation is found, and what is right is let be', async () => {
  const found = await lint(new Map([...PLANTS].map(([name, { text }]) => [fileOf(name), text])));
  const prose = [...PLANTS.keys()].map((name) => {
    const broken = (found.get(fileOf(name)) ?? []).filter((code) => code.startsWith('prose('));
    return { name, breaks: broken[0] };
  });
  expect(prose).toEqual([...PLANTS].map(([name, { breaks }]) => ({ name, breaks })));
});
