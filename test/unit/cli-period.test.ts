// Periods and moments on the command line, as written and as read.
import { expect, test } from 'vitest';
import { parseMoment } from '../../client/cli/commands/points.js';
import { period, periodIn } from '../../client/cli/period.js';

const NOW_MS = Date.UTC(2026, 10, 23, 12);

test.each([
  [3_600_000, '1h'],
  [5_400_000, '90m'],
  [28 * 86_400_000, '28d'],
  [1_500, '1500ms'],
])('%i ms are written as %s', (ms, text) => {
  expect(period(ms)).toBe(text);
});

test('a moment is a time, or how long ago', () => {
  expect(parseMoment('90m', NOW_MS)).toBe(NOW_MS - 5_400_000);
  expect(parseMoment('2026-11-23T10:00:00Z', NOW_MS)).toBe(Date.UTC(2026, 10, 23, 10));
  expect(parseMoment('99999d', NOW_MS)).toBe(0);
  expect(() => parseMoment('soon', NOW_MS)).toThrow(/ISO 8601.*90m/);
});

test('a period that is none is told apart from one', () => {
  expect(periodIn('12h')).toBe(43_200_000);
  expect(periodIn('policy')).toBeUndefined();
});
