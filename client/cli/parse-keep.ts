// How long to keep a bookmark, on the command line.
import { InvalidArgumentError } from 'commander';
import type { KeepRequest } from '../../contracts/retention.js';
import { PERIOD_HELP, periodIn } from './period.js';

/** Parses a keep. @example "policy", "forever", "30d" */
export function parseKeep(text: string): KeepRequest {
  if (text === 'policy' || text === 'forever') return text;
  const forMs = periodIn(text);
  if (forMs === undefined) throw new InvalidArgumentError(`Give policy, forever, or ${PERIOD_HELP}.`);
  return { forMs };
}
