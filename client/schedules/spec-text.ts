// A schedule's times in words, by which people check what they meant.
import type { ScheduleSpecDescription } from '@temporalio/client';
import { period } from '../text/format.js';
import { type Calendar, calendarOf, isAll, MONTH_NAMES, valuesOf, WEEKDAY_NAMES } from './calendar.js';

/** Times of day listed one by one. */
const TIMES_LISTED_MAX = 6;
const MINUTES_AN_HOUR = 60;

/** Describes a spec. @example "at 01:00 on Mon and Tue, Europe/Paris" */
export function specText(spec: ScheduleSpecDescription): string {
  const { calendars = [], intervals = [], skip = [], startAt, endAt, jitter = 0, timezone } = spec;
  const times = [
    ...calendars.map((calendar) => calendarText(calendarOf(calendar))),
    ...intervals.map(({ every, offset }) => `every ${period(every)}${offset > 0 ? `, ${period(offset)} later` : ''}`),
  ];
  const parts = [
    times.length === 0 ? 'never' : times.join('; and '),
    ...skip.map((calendar) => `but not ${calendarText(calendarOf(calendar))}`),
    ...(startAt === undefined ? [] : [`from ${startAt.toISOString()} on`]),
    ...(endAt === undefined ? [] : [`until ${endAt.toISOString()}`]),
    timezone === undefined || timezone === '' ? 'UTC (no time zone is set)' : timezone,
    ...(jitter > 0 ? [`up to ${period(jitter)} later`] : []),
  ];
  return parts.join(', ');
}

export function calendarText(calendar: Calendar): string {
  return [timesText(calendar), ...daysText(calendar)].join(' ');
}

function timesText({ second, minute, hour }: Calendar): string {
  const [seconds, minutes, hours] = [valuesOf(second), valuesOf(minute), valuesOf(hour)];
  const onTheMinute = seconds.join() === '0';
  const count = seconds.length * minutes.length * hours.length;
  if (count <= TIMES_LISTED_MAX) {
    const times = hours.flatMap((h) =>
      minutes.flatMap((m) => seconds.map((s) => [h, m, ...(onTheMinute ? [] : [s])].map(twoDigits).join(':'))),
    );
    return `at ${listed(times)}`;
  }
  const at = `at ${minutesText(minutes)}${onTheMinute ? '' : ` and ${seconds.length} seconds of it`}`;
  return isAll('hour', hour) ? `${at} of every hour` : `${at} of the hours ${listed(runs(hours, String))}`;
}

function minutesText(minutes: readonly number[]): string {
  if (minutes.length === MINUTES_AN_HOUR) return 'every minute';
  return `minute${minutes.length === 1 ? '' : 's'} ${listed(runs(minutes, String))}`;
}

function daysText({ dayOfMonth, month, dayOfWeek, year }: Calendar): string[] {
  const [anyDay, anyMonth, anyWeekday] = [
    isAll('dayOfMonth', dayOfMonth),
    isAll('month', month),
    isAll('dayOfWeek', dayOfWeek),
  ];
  const weekdays = listed(runs(valuesOf(dayOfWeek), (day) => WEEKDAY_NAMES[day] ?? `${day}`));
  const days = `on day ${listed(runs(valuesOf(dayOfMonth), String))} of the month`;
  return [
    ...(anyDay && anyWeekday ? ['every day'] : []),
    ...(anyDay ? [] : [days]),
    // Other cron implementations accept either day; Temporal requires both to match.
    ...(anyWeekday ? [] : [anyDay ? `on ${weekdays}` : `if it is ${weekdays}`]),
    ...(anyMonth ? [] : [`in ${listed(runs(valuesOf(month), (number) => MONTH_NAMES[number - 1] ?? `${number}`))}`]),
    ...(isAll('year', year) ? [] : [`in ${listed(runs(valuesOf(year), String))}`]),
  ];
}

/** Shortens three or more consecutive values to first and last. */
function runs(values: readonly number[], word: (value: number) => string): string[] {
  const words: string[] = [];
  for (let i = 0; i < values.length; i += 1) {
    let last = i;
    while (values[last + 1] === (values[last] ?? 0) + 1) last += 1;
    const [from, to] = [values[i], values[last]];
    if (from === undefined || to === undefined) break;
    if (last - i < 2) words.push(word(from));
    else {
      words.push(`${word(from)} to ${word(to)}`);
      i = last;
    }
  }
  return words;
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;
}

function twoDigits(value: number): string {
  return `${value}`.padStart(2, '0');
}
