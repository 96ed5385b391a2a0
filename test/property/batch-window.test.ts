// Maintenance windows against a clock that is read minute by minute, over changes of the clocks in
// zones of every kind.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { windowOf } from '../../control/clock/window.js';
import { type MaintenanceWindow, WEEKDAYS } from '../../contracts/batch.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * Half-hour changes, offsets that are no whole hours, far east and west, changes at midnight, and
 * none at all.
 */
const ZONES = [
  'Europe/Paris',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Pacific/Kiritimati',
  'Pacific/Pago_Pago',
  'America/Santiago',
  'Africa/Cairo',
  'Asia/Beirut',
  'America/Havana',
  'UTC',
];
/** Days on which, or the day before which, some of these zones change their clocks. */
const CHANGES = [
  '2025-03-30',
  '2025-10-26',
  '2025-03-09',
  '2025-11-02',
  '2025-04-05',
  '2025-10-05',
  '2025-04-24',
  '2025-09-07',
];

const readers = new Map(
  ZONES.map((timeZone) => [
    timeZone,
    new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' }),
  ]),
);

/** "2025-03-30 02:15": compares as text. */
function read(timeZone: string, atMs: number): string {
  return (readers.get(timeZone)?.format(atMs) ?? '').replace(/\s+/, ' ');
}

/** The first minute at which the clock reads the text or something later: the definition. */
function firstMinuteAt(timeZone: string, text: string, fromMs: number): number {
  let atMs = fromMs;
  while (read(timeZone, atMs) < text) atMs += MINUTE_MS;
  return atMs;
}

function slowWindowOf({ timeZone, start, end, days }: MaintenanceWindow, atMs: number): unknown {
  const today = Date.parse(`${read(timeZone, atMs).slice(0, 10)}T00:00:00Z`);
  for (let day = today - 2 * DAY_MS; ; day += DAY_MS) {
    const weekday = WEEKDAYS[(new Date(day).getUTCDay() + 6) % 7];
    if (days !== undefined && weekday !== undefined && !days.includes(weekday)) continue;
    const date = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
    // Beginning before the date does in any zone.
    const opensAtMs = firstMinuteAt(timeZone, `${date(day)} ${start}`, day - 15 * HOUR_MS);
    const lastDay = end > start ? day : day + DAY_MS;
    const closesAtMs = firstMinuteAt(timeZone, `${date(lastDay)} ${end}`, lastDay - 15 * HOUR_MS);
    if (opensAtMs < closesAtMs && atMs < closesAtMs) return { opensAtMs, closesAtMs };
  }
}

const timeOfDay = fc
  .record({
    hour: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 23 })),
    minute: fc.integer({ min: 0, max: 59 }),
  })
  .map(({ hour, minute }) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`);

test('a window is open exactly when the clocks of its zone say so, also where they jump', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES),
      timeOfDay,
      timeOfDay,
      fc.option(fc.uniqueArray(fc.constantFrom(...WEEKDAYS), { minLength: 1 }), { nil: undefined }),
      fc.constantFrom(...CHANGES),
      fc.integer({ min: -3 * 24 * 60, max: 3 * 24 * 60 }),
      (timeZone, start, end, days, change, minutes) => {
        const window: MaintenanceWindow = { timeZone, start, end, ...(days === undefined ? {} : { days }) };
        const atMs = Date.parse(`${change}T00:00:00Z`) + minutes * MINUTE_MS;
        expect(windowOf(window, atMs)).toEqual(slowWindowOf(window, atMs));
      },
    ),
    { numRuns: 100 },
  );
});

test('a window of an hour that the clocks jump over is open on no such day', () => {
  const window: MaintenanceWindow = { timeZone: 'Europe/Paris', start: '02:15', end: '02:45' };
  const dayBefore = Date.parse('2025-03-29T12:00:00Z');
  expect(windowOf(window, dayBefore).opensAtMs).toBe(Date.parse('2025-03-31T00:15:00Z'));
});

test('a window that ends where it starts is open for the whole day', () => {
  const window: MaintenanceWindow = { timeZone: 'UTC', start: '06:00', end: '06:00', days: ['wed'] };
  expect(windowOf(window, Date.parse('2025-01-02T05:00:00Z'))).toEqual({
    opensAtMs: Date.parse('2025-01-01T06:00:00Z'),
    closesAtMs: Date.parse('2025-01-02T06:00:00Z'),
  });
});

test('a zone that nobody knows is refused by its name', () => {
  expect(() => windowOf({ timeZone: 'Europe/Atlantis', start: '01:00', end: '02:00' }, 0)).toThrow(
    'options.window.timeZone: "Europe/Atlantis" is no time zone',
  );
});
