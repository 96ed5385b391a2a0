// Lengths of time on the command line.
import { expect, test } from 'vitest';
import { parseDuration } from '../../client/cli/parse-duration.js';

test.each([
  ['90s', 90_000],
  ['30m', 1_800_000],
  ['1.5h', 5_400_000],
  ['2d', 172_800_000],
  [' 4 h ', 14_400_000],
])('%s is read with its unit', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(['', '5', 'h', '-1h', '0s', '1w', '1h30m', 'soon'])('%j is refused, with what is accepted', (text) => {
  expect(() => parseDuration(text)).toThrow(/90s, 30m, 4h or 2d/);
});
