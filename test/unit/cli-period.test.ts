// Periods on the command line, as written and as read.
import { expect, test } from 'vitest';
import { periodIn } from '../../client/cli/period.js';
import { period } from '../../client/text/format.js';

test.each([
  [3_600_000, '1h'],
  [5_400_000, '90m'],
  [28 * 86_400_000, '28d'],
  [1_500, '1500ms'],
])('%i ms are written as %s', (ms, text) => {
  expect(period(ms)).toBe(text);
});

test('a period that is none is told apart from one', () => {
  expect(periodIn('12h')).toBe(43_200_000);
  expect(periodIn('policy')).toBeUndefined();
});
