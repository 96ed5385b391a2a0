// When a maintenance window is open, in its own time zone. Zone rules depend on the machine's data.
// So an activity computes this, its answer stays in the history, and a workflow never computes it.
import type { MaintenanceWindow } from '../../contracts/batch.js';
import { WEEKDAYS } from '../../contracts/batch.js';
import type { OpenWindow } from '../../contracts/batch-run.js';
import { MoverError } from '../../contracts/errors.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/**
 * Days searched. A window on one weekday returns after 7 days, and a clock change may remove its
 * hours on one of them.
 */
const DAYS_SEARCHED = 22;

/**
 * A wall clock reading taken as if it were UTC, so that two readings of one zone compare as
 * numbers.
 */
type Reading = number;

/**
 * The window open at the time, or the next one. It opens when its zone's clocks first read its
 * start on one of its days, and closes when they first read its end after that. If the clocks skip
 * such a time, the jump counts.
 * @throws MoverError INVALID_REQUEST for a time zone that this machine does not know
 */
export function windowOf(window: MaintenanceWindow, atMs: number): OpenWindow {
  const clock = clockOf(window.timeZone);
  const days = new Set(window.days ?? WEEKDAYS);
  // A window that began two days ago may still be open: it may last a day, and a day may have 25
  // hours.
  const firstDay = startOfDay(clock(atMs)) - 2 * DAY_MS;
  for (let i = 0; i < DAYS_SEARCHED; i += 1) {
    const day = firstDay + i * DAY_MS;
    const weekday = WEEKDAYS[(new Date(day).getUTCDay() + 6) % 7];
    if (weekday === undefined || !days.has(weekday)) continue;
    const startsAt = day + timeOfDayMs(window.start);
    const endsAt = day + timeOfDayMs(window.end);
    const opensAtMs = firstAt(clock, startsAt);
    const closesAtMs = firstAt(clock, endsAt > startsAt ? endsAt : endsAt + DAY_MS);
    if (opensAtMs < closesAtMs && atMs < closesAtMs) return { opensAtMs, closesAtMs };
  }
  throw new MoverError('INTERNAL', `No window was found within ${DAYS_SEARCHED} days.`);
}

type Clock = (atMs: number) => Reading;

function clockOf(timeZone: string): Clock {
  const format = formatOf(timeZone);
  return (atMs) => {
    const parts = new Map(format.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
  };
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'iso8601',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch (cause) {
    const message = `"${timeZone}" is no time zone that this machine knows; give an IANA name, for example Europe/Paris`;
    throw new MoverError('INVALID_REQUEST', `options.window.timeZone: ${message}.`, {
      cause,
      reasons: [{ code: 'INVALID_REQUEST', subject: 'options.window.timeZone', message }],
    });
  }
}

function timeOfDayMs(text: string): number {
  const [hours = 0, minutes = 0] = text.split(':').map(Number);
  return (hours * 60 + minutes) * MINUTE_MS;
}

function startOfDay(reading: Reading): Reading {
  return reading - (((reading % DAY_MS) + DAY_MS) % DAY_MS);
}

/** The first instant at which the clock reads the wanted time or a later one. */
function firstAt(clock: Clock, wanted: Reading): number {
  // No zone is more than 14 hours from UTC, and none changes its offset twice within these two
  // days.
  const beforeMs = wanted - DAY_MS;
  const afterMs = wanted + DAY_MS;
  const offsets = [clock(beforeMs) - beforeMs, clock(afterMs) - afterMs];
  const exact = offsets.map((offset) => wanted - offset).filter((atMs) => clock(atMs) === wanted);
  if (exact.length > 0) return Math.min(...exact);
  return changeOf(clock, beforeMs, afterMs);
}

/** The instant of the clock's jump, between two instants with different offsets. */
function changeOf(clock: Clock, beforeMs: number, afterMs: number): number {
  const offset = clock(beforeMs) - beforeMs;
  let low = Math.floor(beforeMs / 1_000);
  let high = Math.ceil(afterMs / 1_000);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (clock(middle * 1_000) - middle * 1_000 === offset) low = middle;
    else high = middle;
  }
  return high * 1_000;
}
