// Times that people give: what is taken, what is refused, and in which words.
import { describe, expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { momentMs, readMoment } from '../../contracts/moment.js';

const NOW_MS = Date.UTC(2026, 10, 28, 12);
const HOUR_MS = 3_600_000;

test.each([
  ['2026-11-23T10:00:00Z', Date.UTC(2026, 10, 23, 10)],
  ['2026-11-23T10:00:00.25Z', Date.UTC(2026, 10, 23, 10, 0, 0, 250)],
  ['2026-11-23T10:00+01:00', Date.UTC(2026, 10, 23, 9)],
  ['2026-11-23T10:00-0530', Date.UTC(2026, 10, 23, 15, 30)],
  ['2026-11-23 10:15', Date.UTC(2026, 10, 23, 10, 15)],
  ['2026-11-23', Date.UTC(2026, 10, 23)],
  ['2024-02-29', Date.UTC(2024, 1, 29)],
  ['-2h', NOW_MS - 2 * HOUR_MS],
  ['-30m', NOW_MS - HOUR_MS / 2],
  ['3d', NOW_MS - 72 * HOUR_MS],
  ['-99999d', Date.UTC(2000, 0, 1)],
])('%s is taken, without a zone in UTC', (text, atMs) => {
  expect(readMoment(text, NOW_MS)).toEqual({ atMs });
});

test.each([
  ['2026-02-30', 'no date of the calendar'],
  ['2025-02-29T10:00:00Z', 'no date of the calendar'],
  ['2026-13-01', 'no date of the calendar'],
  ['2026-11-23T24:00:00Z', 'no time of day'],
  ['2026-11-23T10:60:00Z', 'no time of day'],
  ['2026-11-23T10:00:00+25:00', 'no time of day'],
  ['1795428000', 'a plain number'],
  ['1795428000000', 'a plain number'],
  ['Nov 28', 'is not a valid time'],
  ['28.11.2026', 'is not a valid time'],
  ['yesterday', 'is not a valid time'],
  ['', 'is not a valid time'],
  ['-2w', 'is not a valid time'],
  ['1970-01-01', 'before the year 2000'],
  ['2026-11-29', 'in the future, as it is 2026-11-28T12:00:00.000Z here'],
])('%j is refused, with an example of what is taken', (text, why) => {
  const read = readMoment(text, NOW_MS);
  if (!('problem' in read)) throw new Error(`taken as ${read.atMs}`);
  expect(read.problem).toContain(why);
  expect(read.problem).toContain('2026-11-23T10:00:00Z');
  expect(read.problem).toContain('-2h');
});

describe('a program', () => {
  test('may give a number of milliseconds or text', () => {
    expect(momentMs(NOW_MS - 5, 'atMs', NOW_MS)).toBe(NOW_MS - 5);
    expect(momentMs('-1h', 'atMs', NOW_MS)).toBe(NOW_MS - HOUR_MS);
  });

  test.each([[Math.floor(NOW_MS / 1_000)], [NOW_MS + 60_000], ['soon'], [Number.NaN]])(
    'is refused %s, with the name of the field',
    (given) => {
      try {
        momentMs(given, 'atMs', NOW_MS);
        throw new Error('taken');
      } catch (error) {
        if (!(error instanceof MoverError)) throw error;
        expect(error.code).toBe('INVALID_REQUEST');
        expect(error.message).toMatch(/^atMs: /);
        expect(error.reasons?.[0]?.subject).toBe('atMs');
      }
    },
  );
});
