// A duration on the command line.
import { InvalidArgumentError } from 'commander';

const UNITS_MS: ReadonlyMap<string, number> = new Map([
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** The form of a duration, for help texts and refusals. */
export const DURATION_FORM = 'a number with a unit: 90s, 30m, 4h or 2d';

/** Parses a duration. @returns milliseconds. @example "90s", "30m", "1.5h", "2d" */
export function parseDuration(text: string): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)\s*([smhd])$/.exec(text.trim()) ?? [];
  const unitMs = UNITS_MS.get(unit ?? '');
  const ms = unitMs === undefined ? Number.NaN : Math.round(Number(count) * unitMs);
  if (!Number.isSafeInteger(ms) || ms <= 0) throw new InvalidArgumentError(`Give ${DURATION_FORM}.`);
  return ms;
}
