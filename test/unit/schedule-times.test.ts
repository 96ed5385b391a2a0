// When a schedule runs: cron texts and calendars, checked, told in words, and written as cron
// again.
import { expect, test } from 'vitest';
import { type Calendar, calendarSchema, hasDays, valuesOf } from '../../client/schedules/calendar.js';
import { CronError, cronOf, parseCron } from '../../client/schedules/cron.js';
import { calendarText, specText } from '../../client/schedules/spec-text.js';

test.each([
  ['0 1 * * *', '0 1 * * *', 'at 01:00 every day'],
  ['30 1,13 * * mon-fri', '30 1,13 * * 1-5', 'at 01:30 and 13:30 on Mon to Fri'],
  ['*/15 22 1 JAN *', '*/15 22 1 1 *', 'at 22:00, 22:15, 22:30 and 22:45 on day 1 of the month in Jan'],
  ['0 5 * * 5-7', '0 5 * * 0,5,6', 'at 05:00 on Sun, Fri and Sat'],
  ['0 5 * * 7', '0 5 * * 0', 'at 05:00 on Sun'],
  ['@weekly', '0 0 * * 0', 'at 00:00 on Sun'],
  ['5/15 2 * * *', '5-59/15 2 * * *', 'at 02:05, 02:20, 02:35 and 02:50 every day'],
  ['0 1 1 * 0', '0 1 1 * 0', 'at 01:00 on day 1 of the month if it is Sun'],
  ['0 1 * * * 2027', '0 1 * * * 2027', 'at 01:00 every day in 2027'],
  ['30 0 1 * * * *', '30 0 1 * * * *', 'at 01:00:30 every day'],
  ['0 * * * *', '0 * * * *', 'at minute 0 of every hour every day'],
  ['0 1 * * * # nightly', '0 1 * * *', 'at 01:00 every day'],
])('%j is read, written and told', (text, written, words) => {
  const { calendar } = parseCron(text);
  expect(sorted(parseCron(cronOf(calendar)).calendar)).toEqual(sorted(calendar));
  expect(sorted(parseCron(written).calendar)).toEqual(sorted(calendar));
  expect(calendarText(calendar)).toBe(words);
});

test('a zone before the fields is taken from them', () => {
  expect(parseCron('CRON_TZ=Europe/Paris 0 1 * * *')).toMatchObject({ timeZone: 'Europe/Paris', fields: '0 1 * * *' });
  expect(parseCron('TZ=UTC @daily')).toMatchObject({ timeZone: 'UTC', fields: '@daily' });
  expect(parseCron('0 1 * * *').timeZone).toBeUndefined();
});

test.each([
  ['', 'is not a cron text'],
  ['0 1 * *', 'give minute, hour, day of the month'],
  ['@every 4h', 'names no time of day'],
  ['@often', 'is not a cron text'],
  ['61 1 * * *', '"61" is not valid as minute: give 0 to 59'],
  ['0 24 * * *', '"24" is not valid as hour: give 0 to 23'],
  ['0 1 0 * *', '"0" is not valid as day of the month: give 1 to 31'],
  ['0 1 * 13 *', '"13" is not valid as month: give 1 to 12, or jan to dec'],
  ['0 1 * * 8', '"8" is not valid as day of the week: give 0 to 6, or sun to sat'],
  ['0 1 * * funday', '"funday" is not valid as day of the week'],
  ['0 5-3 * * *', '"5-3" is not valid as hour'],
  ['0 */0 * * *', '"*/0" is not valid as hour'],
  ['0 1 ? * *', '"?" is not valid as day of the month'],
  ['0 1,, * * *', '"" is not valid as hour'],
])('%j is refused, naming the field', (text, told) => {
  expect(() => parseCron(text)).toThrow(CronError);
  expect(() => parseCron(text)).toThrow(told);
});

test('a day that no year has is known', () => {
  expect(hasDays(parseCron('0 1 30 2 *').calendar)).toBe(false);
  expect(hasDays(parseCron('0 1 31 4,6,9,11 *').calendar)).toBe(false);
  expect(hasDays(parseCron('0 1 29 2 *').calendar)).toBe(true);
  expect(hasDays(parseCron('0 1 31 * *').calendar)).toBe(true);
});

test('a calendar has the defaults of Temporal', () => {
  const calendar = calendarSchema.parse({ hour: 1, dayOfWeek: ['MONDAY', { start: 'WEDNESDAY', end: 'FRIDAY' }] });
  expect(cronOf(calendar)).toBe('0 1 * * 1,3-5');
  expect(cronOf(calendarSchema.parse({ hour: '*', minute: { start: 0, end: 59, step: 20 } }))).toBe('*/20 * * * *');
});

test.each([{ hour: 25 }, { month: 'Juli' }, { hours: 1 }, { hour: { start: 5, end: 3 } }, { dayOfWeek: 1 }])(
  'calendar %j is refused',
  (calendar) => {
    expect(calendarSchema.safeParse(calendar).success).toBe(false);
  },
);

test('a spec is told with its zone, or that it has none', () => {
  expect(specText({ intervals: [{ every: 14_400_000, offset: 3_600_000 }], timezone: '' })).toBe(
    'every 4h, 1h later, UTC (no time zone is set)',
  );
  expect(specText({ timezone: 'Europe/Paris' })).toBe('never, Europe/Paris');
});

function sorted(calendar: Calendar): Record<string, number[]> {
  return Object.fromEntries(Object.entries(calendar).map(([field, spans]) => [field, valuesOf(spans)]));
}
