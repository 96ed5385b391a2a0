// A time as every message tells it. The one place where pure cores meet `Date`, which they may not
// read the clock by.

/** @example "2026-11-23T10:00:00.000Z" */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
