// Options shared by schedule commands, and refusals that name flags.
import { Option } from 'commander';
import { MoverError } from '../../../../contracts/errors.js';
import { type Overlap, OVERLAPS } from '../../../schedules/schedule-input.js';
import { parseDuration } from '../../parse-duration.js';

const OVERLAP_NAMES: ReadonlyMap<string, Overlap> = new Map(
  OVERLAPS.map((overlap) => [overlap.toLowerCase().replace('_', '-'), overlap]),
);

/** The --overlap option. @param otherwise what applies without the flag */
export function overlapOption(otherwise: string): Option {
  return new Option(
    '--overlap <policy>',
    `what to do when the previous batch still runs (default: ${otherwise})`,
  ).choices([...OVERLAP_NAMES.keys()]);
}

export function overlapIn(flags: { readonly overlap?: string }): { overlap?: Overlap } {
  const overlap = OVERLAP_NAMES.get(flags.overlap ?? '');
  return overlap === undefined ? {} : { overlap };
}

export function catchUpOption(otherwise: string): Option {
  return new Option(
    '--catch-up <duration>',
    `how late a run that an outage prevented may still start (default: ${otherwise})`,
  ).argParser(parseDuration);
}

export function jitterOption(): Option {
  return new Option('--jitter <duration>', 'each run starts up to this much after its time').argParser(parseDuration);
}

export function timeZoneOption(): Option {
  return new Option('--time-zone <zone>', 'time zone of the times: Europe/Paris, UTC …');
}

export const reasonOption = (): Option => new Option('--reason <text>', 'why; kept as the note of the schedule');

const FLAGS: ReadonlyMap<string, string> = new Map([
  ['name', '<schedule>'],
  ['cron', '--cron'],
  ['at', '--at'],
  ['days', '--days'],
  ['calendars', '--calendar'],
  ['timeZone', '--time-zone'],
  ['overlap', '--overlap'],
  ['catchUpMs', '--catch-up'],
  ['jitterMs', '--jitter'],
  ['note', '--note'],
  ['from', '--from'],
  ['batch', '--input'],
]);

/**
 * Rewrites refusals to name flags, since they name fields and people typed flags.
 * @param what what is refused, as the beginning of a sentence
 */
export async function namingFlags<T>(work: () => Promise<T>, what = 'The schedule'): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof MoverError) || error.code !== 'INVALID_REQUEST' || error.reasons.length === 0) throw error;
    const reasons = error.reasons.map((reason) => ({ ...reason, subject: flagOf(reason.subject) }));
    const listed = reasons.map(({ subject, message }) => `${subject}: ${message}`).join('; ');
    throw new MoverError('INVALID_REQUEST', `${what} is not accepted: ${listed}`, { reasons, cause: error });
  }
}

/**
 * The flag of a field. @example "batch.options.window.start" → "--input: options.window.start",
 * "at.1" → "--at (value 2)"
 */
function flagOf(subject: string): string {
  const [field = '', ...path] = subject.split('.');
  const flag = FLAGS.get(field);
  if (flag === undefined) return subject;
  const [index = ''] = path;
  const isListed = /^\d+$/.test(index);
  const rest = (isListed ? path.slice(1) : path).join('.');
  const named = isListed ? `${flag} (value ${Number(index) + 1})` : flag;
  return rest === '' ? named : `${named}: ${rest}`;
}
