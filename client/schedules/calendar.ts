// Calendar times as numbers, one set of spans per field. Cron texts, JSON calendars and the
// server's answers are converted to it.
import { type CalendarSpec, type CalendarSpecDescription, DAYS_OF_WEEK, type Month, MONTHS } from '@temporalio/client';
import { z } from 'zod';

/** The values from `start` to `end`, both included, every `step`-th. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Smallest and largest value of each field. Sunday is day 0, January is month 1. */
export const FIELD_LIMITS = {
  second: { min: 0, max: 59 },
  minute: { min: 0, max: 59 },
  hour: { min: 0, max: 23 },
  dayOfMonth: { min: 1, max: 31 },
  month: { min: 1, max: 12 },
  dayOfWeek: { min: 0, max: 6 },
  year: { min: 2000, max: 2100 },
} as const;
export type CalendarField = keyof typeof FIELD_LIMITS;

/**
 * A second matches when every field does: a day of the month *and* a day of the week, if both are
 * given.
 */
export type Calendar = Readonly<Record<CalendarField, readonly Span[]>>;

export const WEEKDAY_NAMES = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
const SHORT_MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec';
export const MONTH_NAMES: readonly string[] = SHORT_MONTHS.split(' ');

export function allOf(field: CalendarField): readonly Span[] {
  const { min, max } = FIELD_LIMITS[field];
  return [{ start: min, end: max, step: 1 }];
}

export function only(...values: readonly number[]): readonly Span[] {
  return values.map((value) => ({ start: value, end: value, step: 1 }));
}

/** All values, sorted and unique. */
export function valuesOf(spans: readonly Span[]): number[] {
  const values = new Set<number>();
  for (const { start, end, step } of spans) for (let value = start; value <= end; value += step) values.add(value);
  return [...values].sort((a, b) => a - b);
}

export function isAll(field: CalendarField, spans: readonly Span[]): boolean {
  const { min, max } = FIELD_LIMITS[field];
  return valuesOf(spans).length === max - min + 1;
}

const MONTH_LENGTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** Whether any date matches; 30 February does not. Weekdays are not considered. */
export function hasDays({ dayOfMonth, month }: Calendar): boolean {
  const [first = FIELD_LIMITS.dayOfMonth.max + 1] = valuesOf(dayOfMonth);
  return valuesOf(month).some((number) => first <= (MONTH_LENGTHS[number - 1] ?? 0));
}

const spanOf = <I>(value: z.ZodType<number, I>) =>
  z.union([
    value.transform((start): Span => ({ start, end: start, step: 1 })),
    z
      .strictObject({ start: value, end: value.optional(), step: z.number().int().min(1).optional() })
      .transform(({ start, end = start, step = 1 }): Span => ({ start, end, step })),
  ]);

function fieldSchema<I>(field: CalendarField, value: z.ZodType<number, I>, accepted: string) {
  const span = spanOf(value);
  return z.union([z.literal('*').transform(() => allOf(field)), span.transform((one) => [one]), z.array(span).min(1)], {
    error: `${accepted}, { "start", "end", "step" } of them, a list, or "*"`,
  });
}

const numberIn = (field: CalendarField) => z.number().int().min(FIELD_LIMITS[field].min).max(FIELD_LIMITS[field].max);
const numberText = (field: CalendarField): string =>
  `a number ${FIELD_LIMITS[field].min} to ${FIELD_LIMITS[field].max}`;
const monthNumber = z.enum(MONTHS).transform((name) => MONTHS.indexOf(name) + 1);
const weekdayNumber = z.enum(DAYS_OF_WEEK).transform((name) => DAYS_OF_WEEK.indexOf(name));

/** Temporal's CalendarSpec, with Temporal's defaults for omitted fields. */
export const calendarSchema = z
  .strictObject({
    second: fieldSchema('second', numberIn('second'), numberText('second')).optional(),
    minute: fieldSchema('minute', numberIn('minute'), numberText('minute')).optional(),
    hour: fieldSchema('hour', numberIn('hour'), numberText('hour')).optional(),
    dayOfMonth: fieldSchema('dayOfMonth', numberIn('dayOfMonth'), numberText('dayOfMonth')).optional(),
    month: fieldSchema('month', monthNumber, 'a month, for example "JANUARY"').optional(),
    dayOfWeek: fieldSchema('dayOfWeek', weekdayNumber, 'a day, for example "MONDAY"').optional(),
    year: fieldSchema('year', numberIn('year'), numberText('year')).optional(),
    comment: z.string().optional(),
  })
  .transform(({ second, minute, hour, dayOfMonth, month, dayOfWeek, year }): Calendar => ({
    second: second ?? only(0),
    minute: minute ?? only(0),
    hour: hour ?? only(0),
    dayOfMonth: dayOfMonth ?? allOf('dayOfMonth'),
    month: month ?? allOf('month'),
    dayOfWeek: dayOfWeek ?? allOf('dayOfWeek'),
    year: year ?? allOf('year'),
  }))
  .refine((calendar) => FIELDS.every((field) => calendar[field].every(({ start, end }) => start <= end)), {
    message: 'a span ends before it starts',
  });

const FIELDS: readonly CalendarField[] = ['second', 'minute', 'hour', 'dayOfMonth', 'month', 'dayOfWeek', 'year'];

/** A calendar in the form that Temporal's client takes. */
export function specOf(calendar: Calendar): CalendarSpec {
  const { second, minute, hour, dayOfMonth, year } = calendar;
  return {
    second: [...second],
    minute: [...minute],
    hour: [...hour],
    dayOfMonth: [...dayOfMonth],
    month: calendar.month.map(({ start, end, step }) => ({ start: monthNamed(start), end: monthNamed(end), step })),
    dayOfWeek: calendar.dayOfWeek.map(({ start, end, step }) => ({ start: dayNamed(start), end: dayNamed(end), step })),
    ...(isAll('year', year) ? {} : { year: [...year] }),
  };
}

/** A calendar from the form in which Temporal's client describes it. */
export function calendarOf(description: CalendarSpecDescription): Calendar {
  const { second, minute, hour, dayOfMonth, year } = description;
  return {
    second,
    minute,
    hour,
    dayOfMonth,
    month: description.month.map(({ start, end, step }) => ({
      start: MONTHS.indexOf(start) + 1,
      end: MONTHS.indexOf(end) + 1,
      step,
    })),
    dayOfWeek: description.dayOfWeek.map(({ start, end, step }) => ({
      start: DAYS_OF_WEEK.indexOf(start),
      end: DAYS_OF_WEEK.indexOf(end),
      step,
    })),
    // The server writes "any year" as an empty list.
    year: year.length === 0 ? allOf('year') : year,
  };
}

function monthNamed(number: number): Month {
  const name = MONTHS[number - 1];
  if (name === undefined) throw new Error(`There is no month ${number}.`);
  return name;
}

function dayNamed(number: number): (typeof DAYS_OF_WEEK)[number] {
  const name = DAYS_OF_WEEK[number];
  if (name === undefined) throw new Error(`There is no day ${number} of the week.`);
  return name;
}
