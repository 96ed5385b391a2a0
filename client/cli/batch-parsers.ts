// Parses the values of a batch's flags.
import { InvalidArgumentError } from 'commander';
import { type BatchInput, type MaintenanceWindow, WEEKDAYS, windowSchema } from '../../contracts/batch.js';

type Options = NonNullable<BatchInput['options']>;
type Weekday = (typeof WEEKDAYS)[number];

const WINDOW_FORM = '[days] <start>-<end> <time zone>, e.g. "22:00-05:00 Europe/Paris", "mon-fri 20:00-06:00 UTC"';
export const WINDOW_HELP = `when moves may run: ${WINDOW_FORM}`;

/** Parses a window. @example "22:00-05:00 Europe/Paris", "sat,sun 08:00-18:00 America/New_York" */
export function parseWindow(text: string): MaintenanceWindow {
  const { days, start, end, timeZone } =
    /^\s*(?:(?<days>[a-z,-]+)\s+)?(?<start>\d{1,2}:\d\d)\s*-\s*(?<end>\d{1,2}:\d\d)\s+(?<timeZone>\S+)\s*$/i.exec(text)
      ?.groups ?? {};
  const window = windowSchema.safeParse({
    start: start?.padStart('HH:MM'.length, '0'),
    end: end?.padStart('HH:MM'.length, '0'),
    timeZone,
    ...(days === undefined ? {} : { days: daysOf(days.toLowerCase()) }),
  });
  if (window.success) return window.data;
  throw new InvalidArgumentError(`Give ${WINDOW_FORM}; days are ${WEEKDAYS.join(', ')}, as a list or from-to.`);
}

function daysOf(text: string): Weekday[] {
  const named = (day: string | undefined): number => WEEKDAYS.findIndex((known) => known === day);
  const days = text.split(',').flatMap((part) => {
    const [first, last = first, ...more] = part.split('-');
    const [from, to] = [named(first), named(last)];
    if (from < 0 || to < 0 || more.length > 0)
      throw new InvalidArgumentError(`"${part}" is not a day: give ${WEEKDAYS.join(', ')}, as a list or from-to.`);
    // Saturday to Monday is three days.
    const count = ((to - from + WEEKDAYS.length) % WEEKDAYS.length) + 1;
    return Array.from({ length: count }, (_, i) => WEEKDAYS[(from + i) % WEEKDAYS.length] ?? 'mon');
  });
  return WEEKDAYS.filter((day) => days.includes(day));
}

export const ON_FAILURE_HELP = 'continue, stop-now, stop-after=<count> or stop-after=<percent>%';

/** Parses a failure policy. @example "continue", "stop-now", "stop-after=5", "stop-after=10%" */
export function parseOnFailure(text: string): NonNullable<Options['failures']> {
  if (text === 'continue' || text === 'stop-now') return { policy: text };
  const { limit, sign } = /^stop-after=(?<limit>\d+(?:\.\d+)?)(?<sign>%?)$/.exec(text)?.groups ?? {};
  const number = Number(limit);
  if (limit !== undefined && sign === '%' && number > 0 && number <= 100)
    return { policy: 'stop-after', percent: number };
  if (limit !== undefined && sign === '' && Number.isSafeInteger(number) && number > 0)
    return { policy: 'stop-after', count: number };
  throw new InvalidArgumentError(`Give ${ON_FAILURE_HELP}.`);
}

export const ORDER_HELP = 'listed, smallest-first, or label=<name>: by the value of that label';

/** Parses an order. @example "listed", "smallest-first", "label=wave" */
export function parseOrder(text: string): NonNullable<Options['order']> {
  if (text === 'listed' || text === 'smallest-first') return text;
  const [, byLabel] = /^label=(.+)$/.exec(text) ?? [];
  if (byLabel !== undefined) return { byLabel };
  throw new InvalidArgumentError(`Give ${ORDER_HELP}.`);
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count)) return count;
  throw new InvalidArgumentError('Give a whole number.');
}

/** Adds pairs to a map of groups; the flag may repeat. @example "cg-a=cg-b,cg-c=cg-d" */
export function gatheredMap(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const entries = listed(text).map((entry): [string, string] => {
    const [from = '', to = '', ...more] = entry.split('=');
    if (from === '' || to === '' || more.length > 0)
      throw new InvalidArgumentError(`"${entry}" is not a mapping: give <from>=<to>, several with commas.`);
    return [from, to];
  });
  const twice = [...Object.keys(before), ...entries.map(([from]) => from)].find(
    (from, i, all) => all.indexOf(from) !== i,
  );
  if (twice !== undefined) throw new InvalidArgumentError(`"${twice}" is mapped twice.`);
  return { ...before, ...Object.fromEntries(entries) };
}

/** Adds values to a list, separated by commas or given by repeating the flag. */
export function gatheredList(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...listed(text)];
}

/** Adds a label; the flag may repeat. @example "tier=gold" */
export function gatheredLabels(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const [, name, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new InvalidArgumentError(`"${text}" is not a label: give name=value.`);
  return { ...before, [name]: value };
}

function listed(text: string): string[] {
  const words = text.split(',').map((word) => word.trim());
  if (words.every((word) => word !== '')) return words;
  throw new InvalidArgumentError('A value is missing before or after a comma.');
}
