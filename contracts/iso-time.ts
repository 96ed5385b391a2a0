// The form of a time in messages. This is the only use of `Date` in pure cores: they may format a
// time with it but not read the clock.

/** @example "2026-11-23T10:00:00.000Z" */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
