// A time on the command line.
import { InvalidArgumentError } from 'commander';
import { readMoment } from '../../contracts/moment.js';
import { time } from '../text/format.js';

/**
 * Parses a time. @returns milliseconds since 1970-01-01 UTC.
 * @throws InvalidArgumentError; commander names the option
 */
export function parseMoment(text: string): number {
  const read = readMoment(text, Date.now());
  if ('problem' in read) throw new InvalidArgumentError(`${read.problem}.`);
  return read.atMs;
}

/** Says how a requested time was understood; shown after the point that was found for it. */
export function requestedTimeText(atMs: number | undefined): string {
  return atMs === undefined ? '' : `, the last not later than ${time(atMs)}`;
}
