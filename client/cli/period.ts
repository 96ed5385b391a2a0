// A period on the command line where other values are possible too.
import { InvalidArgumentError } from 'commander';
import { parseDuration } from './parse-duration.js';

export const PERIOD_HELP = 'a number with a unit: 90m, 12h, 30d';

/** The period in milliseconds; undefined when the text is no period. */
export function periodIn(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch (error) {
    if (error instanceof InvalidArgumentError) return undefined;
    throw error;
  }
}
