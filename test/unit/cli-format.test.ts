// How the command line writes sizes, durations and tables.
import { expect, test } from 'vitest';
import { bytes, duration } from '../../client/text/format.js';
import { table } from '../../client/text/table.js';

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [64 * 1024 * 1024, '64 MiB'],
])('%i bytes read as %s', (count, text) => {
  expect(bytes(count)).toBe(text);
});

test.each([
  [0.42, '0.4 ms'],
  [38.2, '38 ms'],
  [1_499, '1.5 s'],
  [59_960, '1 min 0 s'],
  [125_000, '2 min 5 s'],
  [3_599_600, '1 h 0 min'],
  [55_620_000, '15 h 27 min'],
  [30 * 3_600_000, '1 d 6 h'],
])('%d ms read as %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});

const TITLES = ['VOLUME', 'SIZE', 'GROUP'];
const ROWS = [
  ['vm-1-disk-0', '64 MiB', 'cg-gold'],
  ['vm-2', '1 GiB', 'cg-silver'],
];

test('a table that does not fit its terminal leaves out the least important columns, and says which', () => {
  const fitted = table(TITLES, ROWS, { columns: 24, optional: ['SIZE', 'GROUP'] });
  expect(fitted).toBe(
    [
      'VOLUME       GROUP',
      'vm-1-disk-0  cg-gold',
      'vm-2         cg-silver',
      '(no room for SIZE;',
      ' --json has them)',
    ].join('\n'),
  );
  expect(fitted.split('\n').every((line) => line.length <= 24)).toBe(true);
});

test('a table that can not fit shows each row as a block, with long values broken at spaces', () => {
  const fitted = table(
    ['POINT', 'NOTE'],
    [
      ['p1', 'kept for ever by a person'],
      ['p2', '-'],
    ],
    { columns: 28 },
  );
  expect(fitted).toBe('p1\n  NOTE  kept for ever by a\n        person\n\np2\n  NOTE  -');
});

test('a table for a file or a program has every column, however wide', () => {
  const long = 'x'.repeat(500);
  expect(table(['A', 'B'], [[long, 'y']], { optional: ['B'] })).toContain(`${long}  y`);
});

test('characters two columns wide keep the columns of a table in line', () => {
  expect(
    table(
      ['NAME', 'N'],
      [
        ['日本', '1'],
        ['abc', '2'],
      ],
    ),
  ).toBe('NAME  N\n日本  1\nabc   2');
});

test('a table pads its columns and leaves no spaces at line ends', () => {
  expect(table(['A', 'LONG'], [['wide', 'x']])).toBe('A     LONG\nwide  x');
});
