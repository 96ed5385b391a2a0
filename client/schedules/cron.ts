// Parses cron texts as Temporal does, so that faults show before a schedule exists; and writes
// calendars as cron texts.
import {
  allOf,
  type Calendar,
  type CalendarField,
  FIELD_LIMITS,
  isAll,
  MONTH_NAMES,
  only,
  type Span,
  valuesOf,
  WEEKDAY_NAMES,
} from './calendar.js';

export interface Cron {
  readonly calendar: Calendar;
  /** The zone from a leading `CRON_TZ=` or `TZ=`. */
  readonly timeZone?: string;
  /** The five to seven fields, or the shorthand, without zone and comment. */
  readonly fields: string;
}

/** Why a text is not a cron text, as a sentence. */
export class CronError extends Error {}

const SHORTHANDS: ReadonlyMap<string, string> = new Map([
  ['@hourly', '0 * * * *'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@weekly', '0 0 * * 0'],
  ['@monthly', '0 0 1 * *'],
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
]);

const FIVE: readonly CalendarField[] = ['minute', 'hour', 'dayOfMonth', 'month', 'dayOfWeek'];
const BY_COUNT: ReadonlyMap<number, readonly CalendarField[]> = new Map([
  [5, FIVE],
  [6, [...FIVE, 'year']],
  [7, ['second', ...FIVE, 'year']],
]);

const FIELD_NAMES: Readonly<Record<CalendarField, string>> = {
  second: 'second',
  minute: 'minute',
  hour: 'hour',
  dayOfMonth: 'day of the month',
  month: 'month',
  dayOfWeek: 'day of the week',
  year: 'year',
};

/** Parses a cron text. @throws CronError */
export function parseCron(text: string): Cron {
  const split = splitCron(text);
  return { calendar: calendarOf(split.fields), ...split };
}

/** Splits a cron text into its zone, if any, and its fields, unchecked. */
export function splitCron(text: string): Pick<Cron, 'timeZone' | 'fields'> {
  const [uncommented = ''] = text.split('#', 1);
  const { timeZone, rest = '' } =
    /^\s*(?:(?:CRON_)?TZ=(?<timeZone>\S*)\s)?(?<rest>.*)$/s.exec(uncommented)?.groups ?? {};
  const fields = rest.trim().split(/\s+/).join(' ');
  return { fields, ...(timeZone === undefined ? {} : { timeZone }) };
}

function calendarOf(text: string): Calendar {
  if (text.startsWith('@every'))
    throw new CronError('"@every" names no time of day; give hours instead, for example "0 */4 * * *"');
  const parts = (SHORTHANDS.get(text.toLowerCase()) ?? text).split(' ');
  const names = BY_COUNT.get(parts.length);
  if (names === undefined || parts[0]?.startsWith('@') !== false || text === '')
    throw new CronError(
      `"${text}" is not a cron text: give minute, hour, day of the month, month and day of the week, for example "0 1 * * *"`,
    );
  const given = new Map(names.map((name, i) => [name, spansOf(name, parts[i] ?? '')]));
  const field = (name: CalendarField, otherwise: readonly Span[]): readonly Span[] => given.get(name) ?? otherwise;
  return {
    second: field('second', only(0)),
    minute: field('minute', only(0)),
    hour: field('hour', only(0)),
    dayOfMonth: field('dayOfMonth', allOf('dayOfMonth')),
    month: field('month', allOf('month')),
    dayOfWeek: field('dayOfWeek', allOf('dayOfWeek')),
    year: field('year', allOf('year')),
  };
}

function spansOf(field: CalendarField, text: string): readonly Span[] {
  return text.split(',').flatMap((part) => spanOf(field, part));
}

function spanOf(field: CalendarField, text: string): readonly Span[] {
  const {
    whole,
    first,
    last,
    step: stepText,
  } = /^(?:(?<whole>\*)|(?<first>\w+)(?:-(?<last>\w+))?)(?:\/(?<step>\d+))?$/.exec(text)?.groups ?? {};
  if (whole === undefined && first === undefined) throw refused(field, text);
  const { min, max } = FIELD_LIMITS[field];
  const step = stepText === undefined ? 1 : Number(stepText);
  const start = first === undefined ? min : valueOf(field, first, text);
  // "5/15" continues to the end of the field.
  const openEnd = stepText === undefined ? start : max;
  const end = last === undefined ? (first === undefined ? max : openEnd) : valueOf(field, last, text);
  if (step < 1 || end < start) throw refused(field, text);
  return field === 'dayOfWeek' ? withSundays({ start, end, step }) : [{ start, end, step }];
}

function valueOf(field: CalendarField, word: string, text: string): number {
  const { min, max } = FIELD_LIMITS[field];
  const named = namesOf(field).indexOf(word.toLowerCase());
  if (named !== -1) return named + min;
  const number = /^\d+$/.test(word) ? Number(word) : Number.NaN;
  const isSunday = field === 'dayOfWeek' && number === SUNDAY_TOO;
  if (!(number >= min && number <= max) && !isSunday) throw refused(field, text);
  return number;
}

/** Largest weekday: Sunday is 0, and 7 as well. */
const SUNDAY_TOO = 7;

function withSundays({ start, end, step }: Span): readonly Span[] {
  if (end < SUNDAY_TOO) return [{ start, end, step }];
  return only(...new Set(valuesOf([{ start, end, step }]).map((day) => day % SUNDAY_TOO)));
}

function namesOf(field: CalendarField): readonly string[] {
  if (field === 'month') return MONTH_NAMES.map((name) => name.toLowerCase());
  return field === 'dayOfWeek' ? WEEKDAY_NAMES.map((name) => name.toLowerCase()) : [];
}

function refused(field: CalendarField, text: string): CronError {
  const { min, max } = FIELD_LIMITS[field];
  const names = namesOf(field);
  const or = names.length === 0 ? '' : `, or ${names[0]} to ${names.at(-1)}`;
  return new CronError(
    `"${text}" is not valid as ${FIELD_NAMES[field]}: give ${min} to ${max}${or}, "*", ranges (1-3), steps (*/2) or a list of them`,
  );
}

/**
 * Writes a cron text: five fields where they suffice, else six with the year or seven with seconds.
 */
export function cronOf(calendar: Calendar): string {
  const { second, year } = calendar;
  const hasSeconds = valuesOf(second).join() !== '0';
  const hasYears = !isAll('year', year);
  const count = hasSeconds ? 7 : hasYears ? 6 : 5;
  return (BY_COUNT.get(count) ?? FIVE).map((field) => fieldText(field, calendar[field])).join(' ');
}

function fieldText(field: CalendarField, spans: readonly Span[]): string {
  return isAll(field, spans) ? '*' : spans.map((span) => spanText(field, span)).join(',');
}

function spanText(field: CalendarField, { start, end, step }: Span): string {
  const { min, max } = FIELD_LIMITS[field];
  if (start === end) return `${start}`;
  const range = start === min && end === max ? '*' : `${start}-${end}`;
  return step === 1 ? range : `${range}/${step}`;
}
