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

/** Words for the moment that a requested time was taken to mean, shown after the found point. */
export function requestedTimeText(atMs: number | undefined): string {
  return atMs === undefined ? '' : `, the last not later than ${time(atMs)}`;
}
