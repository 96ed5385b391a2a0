// Periods of time where something else may stand as well, and as lists show them.
import { InvalidArgumentError } from 'commander';
import { parseDuration } from './parse-duration.js';

export const PERIOD_HELP = 'a number with a unit: 90m, 12h, 30d';

/** Milliseconds; undefined when it is not a period. */
export function periodIn(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch (error) {
    if (error instanceof InvalidArgumentError) return undefined;
    throw error;
  }
}

const UNITS: readonly (readonly [ms: number, name: string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1_000, 's'],
];

/** In the largest unit of which it is a whole number. @example "90m", "1h", "28d" */
export function period(ms: number): string {
  const [unitMs, name] = UNITS.find(([unitMs]) => ms >= unitMs && ms % unitMs === 0) ?? [1, 'ms'];
  return `${ms / unitMs}${name}`;
}
