// How the command line writes sizes, durations and tables.
import { expect, test } from 'vitest';
import { bytes, duration, table } from '../../client/text/format.js';

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
  [125_000, '2 min 5 s'],
])('%d ms read as %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test('a table pads its columns and leaves no spaces at line ends', () => {
  expect(table(['A', 'LONG'], [['wide', 'x']])).toBe('A     LONG\nwide  x');
});
