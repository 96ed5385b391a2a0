// How the command line writes values, and reads times.
import { expect, test } from 'vitest';
import { parseTime } from '../../client/cli/commands/recover.js';
import { bytes, duration, table } from '../../client/cli/format.js';

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

test('a time is ISO 8601 or milliseconds, and nothing else', () => {
  expect(parseTime('2026-11-23T10:00:00Z')).toBe(Date.UTC(2026, 10, 23, 10));
  expect(parseTime('1795428000000')).toBe(1_795_428_000_000);
  expect(() => parseTime('yesterday')).toThrow('ISO 8601');
});
