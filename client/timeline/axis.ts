// Places the ticks of a time axis at round UTC times, as many as fit.
import type { TimeRange } from './range.js';

export interface Tick {
  readonly atMs: number;
  readonly label: string;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** The first Monday after 1970-01-01, which was a Thursday: weeks begin on Mondays. */
const MONDAY_MS = 4 * DAY_MS;
const MONTHS_A_YEAR = 12;

const FIXED_STEPS_MS: readonly number[] = [
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * SECOND_MS),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_MS),
  ...[1, 2, 7].map((days) => days * DAY_MS),
];
const MONTH_STEPS: readonly number[] = [1, 2, 3, 6, 12, 24, 60, 120];
/** Shortest month; bounds how many ticks a step makes. */
const MONTH_MS_MIN = 28 * DAY_MS;

/**
 * Ticks of an axis. @param fits whether so many ticks with labels of that many characters fit side
 * by side
 */
export function ticksOf(range: TimeRange, fits: (count: number, labelLength: number) => boolean): Tick[] {
  const widthMs = range.toMs - range.fromMs;
  const roomFor = (stepMs: number, labelLength: number): boolean => fits(Math.floor(widthMs / stepMs) + 1, labelLength);
  const fixed = FIXED_STEPS_MS.find((stepMs) => roomFor(stepMs, label(0, stepMs, range).length));
  if (fixed !== undefined) return fixedTicks(range, fixed);
  const months = MONTH_STEPS.find((step) => roomFor(step * MONTH_MS_MIN, '2026-11'.length));
  return months === undefined ? [] : monthTicks(range, months);
}

function fixedTicks(range: TimeRange, stepMs: number): Tick[] {
  const originMs = stepMs % (7 * DAY_MS) === 0 ? MONDAY_MS : 0;
  const ticks: Tick[] = [];
  const firstMs = Math.ceil((range.fromMs - originMs) / stepMs) * stepMs + originMs;
  for (let atMs = firstMs; atMs <= range.toMs; atMs += stepMs) ticks.push({ atMs, label: label(atMs, stepMs, range) });
  return ticks;
}

/** Calendar months differ in length. */
function monthTicks({ fromMs, toMs }: TimeRange, step: number): Tick[] {
  const from = new Date(fromMs);
  const month = from.getUTCFullYear() * MONTHS_A_YEAR + from.getUTCMonth();
  const ticks: Tick[] = [];
  for (let index = Math.ceil(month / step) * step; ; index += step) {
    const atMs = Date.UTC(Math.floor(index / MONTHS_A_YEAR), index % MONTHS_A_YEAR);
    if (atMs > toMs) return ticks;
    if (atMs >= fromMs) ticks.push({ atMs, label: new Date(atMs).toISOString().slice(0, '2026-11'.length) });
  }
}

/**
 * A label: the part of the time that changes between ticks. At midnight it is the date, which tells
 * days apart.
 */
function label(atMs: number, stepMs: number, { fromMs, toMs }: TimeRange): string {
  const iso = new Date(atMs).toISOString();
  const [date = '', clock = ''] = iso.split('T');
  const severalYears = new Date(fromMs).getUTCFullYear() !== new Date(toMs).getUTCFullYear();
  if (stepMs >= DAY_MS) return severalYears ? date : date.slice('2026-'.length);
  if (stepMs >= MINUTE_MS) return atMs % DAY_MS === 0 ? date.slice('2026-'.length) : clock.slice(0, 'hh:mm'.length);
  return clock.slice(0, stepMs >= SECOND_MS ? 'hh:mm:ss'.length : 'hh:mm:ss.sss'.length);
}
