// Reads the times that people give. Every command, export name and SDK call uses it, so no typing
// error becomes a time.
import { CLOCK_SKEW_MS_MAX } from './clock.js';
import { invalidField } from './errors.js';
import { isoTime } from './iso-time.js';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const UNITS_MS: ReadonlyMap<string, number> = new Map([
  ['s', SECOND_MS],
  ['m', MINUTE_MS],
  ['h', HOUR_MS],
  ['d', 24 * HOUR_MS],
]);
/** Earliest accepted time. A smaller number is in seconds or a typing error. */
const MOMENT_MS_MIN = Date.UTC(2000, 0, 1);
/** The accepted forms, for help texts and refusals. */
export const MOMENT_HELP = 'ISO 8601, e.g. 2026-11-23T10:00:00Z (UTC if it names no zone), or how long ago, e.g. -2h';

const DATE = String.raw`(\d{4})-(\d{2})-(\d{2})`;
const CLOCK = String.raw`(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?`;
const ZONE = String.raw`(Z|[+-]\d{2}:?\d{2})`;
const ISO = new RegExp(`^${DATE}(?:[Tt ]${CLOCK}${ZONE}?)?$`, 'i');
const AGO = /^-?(\d+(?:\.\d+)?)\s*([smhd])$/;

export type MomentRead = { readonly atMs: number } | { readonly problem: string };

/**
 * Reads a time as people write it: ISO 8601 with a zone or in UTC, or how long ago. Refuses days
 * that don't exist, plain numbers, other forms and future times.
 * @example "2026-11-23T10:00:00+01:00", "2026-11-23", "-90m"
 */
export function readMoment(text: string, nowMs: number): MomentRead {
  const given = text.trim();
  const [, count, unit] = AGO.exec(given) ?? [];
  const unitMs = UNITS_MS.get(unit ?? '');
  if (unitMs !== undefined) return { atMs: Math.max(MOMENT_MS_MIN, nowMs - Math.round(Number(count) * unitMs)) };
  if (/^\d+$/.test(given)) return { problem: `"${given}" is a plain number: give ${MOMENT_HELP}` };
  const iso = ISO.exec(given);
  if (iso === null) return { problem: `"${given}" is not a valid time: give ${MOMENT_HELP}` };
  const atMs = instantOf(iso);
  return atMs === undefined
    ? { problem: `"${given}" is no date of the calendar, or no time of day: give ${MOMENT_HELP}` }
    : checked(given, atMs, nowMs);
}

/**
 * Checks a time given as a number (milliseconds since 1970-01-01 UTC), or reads one given as text.
 * @param field the caller's name for the field
 * @throws MoverError INVALID_REQUEST naming the field
 */
export function momentMs(given: number | string, field: string, nowMs: number): number {
  const read = typeof given === 'string' ? readMoment(given, nowMs) : checked(String(given), given, nowMs);
  if ('atMs' in read) return read.atMs;
  throw invalidField(field, read.problem);
}

function checked(given: string, atMs: number, nowMs: number): MomentRead {
  if (!Number.isSafeInteger(atMs))
    return { problem: `"${given}" is not a whole number of milliseconds since 1970: give that, or ${MOMENT_HELP}` };
  if (atMs < MOMENT_MS_MIN) return { problem: `"${given}" would be before the year 2000: give ${MOMENT_HELP}` };
  // Another host's clock may be a little ahead of this one.
  if (atMs > nowMs + CLOCK_SKEW_MS_MAX) {
    const now = isoTime(nowMs);
    return { problem: `"${given}" is in the future, as it is ${now} here: give ${MOMENT_HELP}` };
  }
  return { atMs };
}

/** The instant in milliseconds; undefined for a day or a time of day that does not exist. */
function instantOf([, y, mo, d, h = '00', mi = '00', s = '00', fraction = '', zone = 'Z']: RegExpExecArray):
  | number
  | undefined {
  const [year, month, day, hour, minute, second] = [y, mo, d, h, mi, s].map(Number);
  if (year === undefined || month === undefined || day === undefined) return undefined;
  if (hour === undefined || minute === undefined || second === undefined) return undefined;
  const midnight = new Date(Date.UTC(year, month - 1, day));
  const exists = midnight.getUTCMonth() === month - 1 && midnight.getUTCDate() === day;
  if (!exists || hour > 23 || minute > 59 || second > 59) return undefined;
  const offsetMs = offsetOf(zone);
  if (offsetMs === undefined) return undefined;
  const millis = Number(fraction.padEnd(3, '0').slice(0, 3));
  return midnight.getTime() + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + millis - offsetMs;
}

/** How far a zone is ahead of UTC, milliseconds; undefined if the zone does not exist. */
function offsetOf(zone: string): number | undefined {
  const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})$/.exec(zone) ?? [];
  if (sign === undefined) return 0;
  if (Number(hours) > 14 || Number(minutes) > 59) return undefined;
  return (sign === '-' ? -1 : 1) * (Number(hours) * HOUR_MS + Number(minutes) * MINUTE_MS);
}
