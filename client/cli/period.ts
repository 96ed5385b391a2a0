// Periods of time where something else may be given as well.
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
