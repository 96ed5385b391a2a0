// The input of a schedule of batches. It is checked as a whole beforehand, since nobody is awake
// when it runs.
import type { CalendarSpec, ScheduleSpec } from '@temporalio/client';
import { z } from 'zod';
import { type BatchInput, batchInputSchema, WEEKDAYS } from '../../contracts/batch.js';
import { MoverError, parseOrRefuse, type Reason } from '../../contracts/errors.js';
import { checkBatchInput } from '../batches/check-input.js';
import { allOf, type Calendar, calendarSchema, hasDays, only, specOf } from './calendar.js';
import { CronError, parseCron, splitCron } from './cron.js';

/** Temporal's names for what happens when a run is due while the previous one still runs. */
export const OVERLAPS = ['SKIP', 'BUFFER_ONE', 'BUFFER_ALL', 'CANCEL_OTHER', 'TERMINATE_OTHER', 'ALLOW_ALL'] as const;
export const overlapSchema = z.enum(OVERLAPS);
export type Overlap = z.infer<typeof overlapSchema>;

const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;
/**
 * How late a run that an outage delayed may still start, ms. Later would be another part of the day
 * than its window.
 */
export const CATCH_UP_MS_DEFAULT = 10 * 60_000;
/** The server's smallest value. */
const CATCH_UP_MS_MIN = 10 * SECOND_MS;
const CATCH_UP_MS_MAX = 365 * DAY_MS;
const JITTER_MS_MAX = DAY_MS;
const TIMES_MAX = 50;
/** Longest name. The ids of a batch's moves begin with it, and a move's id has 300 characters. */
const NAME_LENGTH_MAX = 100;
const NOTE_LENGTH_MAX = 1_000;

const scheduleNameSchema = z
  .string()
  .max(NAME_LENGTH_MAX, `at most ${NAME_LENGTH_MAX} characters`)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'letters, digits, ".", "_" and "-", starting with a letter or digit');

const NEVER = 'there is no such day in any year';
const clockTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time of day as HH:MM, 00:00 to 23:59');

export const catchUpMsSchema = z.number().int().min(CATCH_UP_MS_MIN).max(CATCH_UP_MS_MAX);
export const jitterMsSchema = z.number().int().min(0).max(JITTER_MS_MAX);

const timeZone = z
  .string()
  .min(1)
  .max(100)
  .refine(isTimeZone, { error: ({ input }) => timeZoneFault(String(input)) });

const scheduleInputSchema = z
  .strictObject({
    name: scheduleNameSchema,
    /**
     * A cron text as Temporal reads it: a day of the month *and* a day of the week must match if
     * both are given. May begin with `CRON_TZ=<zone> `.
     */
    cron: z
      .union([z.string(), z.array(z.string()).min(1).max(TIMES_MAX)], { error: 'a cron text, or a list of them' })
      .superRefine((cron, context) => {
        for (const message of cronFaults(listOf(cron))) context.addIssue({ code: 'custom', message });
      })
      .optional(),
    /** Times of day. */
    at: z.array(clockTime).min(1).max(TIMES_MAX).optional(),
    /** The days on which `at` applies. Default: every day. */
    days: z.array(z.enum(WEEKDAYS)).min(1).optional(),
    /** Temporal's CalendarSpec. */
    calendars: z.array(calendarSchema.refine(hasDays, NEVER)).min(1).max(TIMES_MAX).optional(),
    timeZone: timeZone.optional(),
    batch: batchInputSchema,
    overlap: overlapSchema.default('SKIP'),
    catchUpMs: catchUpMsSchema.default(CATCH_UP_MS_DEFAULT),
    /** Each run starts up to this much after its time. */
    jitterMs: jitterMsSchema.default(0),
    /** Pauses the schedule when a batch fails or its failure policy stops it. */
    pauseOnFailure: z.boolean().default(true),
    note: z.string().max(NOTE_LENGTH_MAX).optional(),
    /** The state of a new schedule. An existing one keeps its state. */
    paused: z.boolean().default(false),
  })
  .superRefine((input, context) => {
    const refuse = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    const ways = [input.cron, input.at, input.calendars].filter((way) => way !== undefined).length;
    if (ways !== 1) refuse('cron', 'give exactly one of "cron", "at" and "calendars"');
    if (input.days !== undefined && input.at === undefined) refuse('days', 'only with "at"');
    const zones = zonesOf(input);
    if (zones.size === 0) refuse('timeZone', 'name the time zone of the times, for example Europe/Paris or UTC');
    if (zones.size > 1) refuse('cron', `one schedule has one time zone, not ${[...zones].join(' and ')}`);
  });
/**
 * A schedule's input. Times are in `timeZone`. Give exactly one of `cron`, `at` and `calendars`.
 */
export type ScheduleInput = Omit<z.input<typeof scheduleInputSchema>, 'calendars'> & {
  readonly calendars?: readonly CalendarSpec[] | undefined;
};

/** A checked input in the form that Temporal's client takes. */
export interface CheckedSchedule extends Omit<z.output<typeof scheduleInputSchema>, 'batch'> {
  readonly spec: ScheduleSpec;
  readonly times: readonly Calendar[];
  readonly zone: string;
  /** The batch as given, plus who asks. Its defaults are filled in when it runs. */
  readonly batch: BatchInput;
}

/** Checks input from outside. @throws MoverError INVALID_REQUEST naming every field at fault */
export function assertScheduleInput(value: unknown): asserts value is ScheduleInput {
  parseOrRefuse(scheduleInputSchema, value, 'schedule');
}

/** Checks a schedule. @throws MoverError INVALID_REQUEST naming every field at fault */
export function checkSchedule(given: ScheduleInput): CheckedSchedule {
  const input = parseOrRefuse(scheduleInputSchema, given, 'schedule');
  const batch: BatchInput = { operator: `schedule ${input.name}`, ...given.batch };
  refuseBatch(batch);
  const crons = listOf(input.cron).map(parseCron);
  const [zone = 'UTC'] = zonesOf(input);
  const times = [...crons.map(({ calendar }) => calendar), ...(input.calendars ?? []), ...clockTimes(input)];
  return {
    ...input,
    batch,
    times,
    zone,
    spec: {
      // The server parses cron texts itself.
      ...(crons.length > 0 ? { cronExpressions: crons.map(({ fields }) => fields) } : { calendars: times.map(specOf) }),
      timezone: zone,
      ...(input.jitterMs > 0 ? { jitter: input.jitterMs } : {}),
    },
  };
}

/** Checks size and window too: at night nobody would see the refusal. */
function refuseBatch(batch: BatchInput): void {
  try {
    checkBatchInput(batch, Date.now());
  } catch (error) {
    if (!(error instanceof MoverError) || error.code !== 'INVALID_REQUEST') throw error;
    throw refusals(error.reasons.map(({ subject, message }) => ({ subject: `batch.${subject}`, message })));
  }
}

export function refusal(subject: string, message: string): MoverError {
  return refusals([{ subject, message }]);
}

function refusals(faults: readonly Omit<Reason, 'code'>[]): MoverError {
  const listed = faults.map(({ subject, message }) => `${subject}: ${message}`).join('; ');
  return new MoverError('INVALID_REQUEST', `schedule is not accepted: ${listed}`, {
    reasons: faults.map((fault) => ({ code: 'INVALID_REQUEST', ...fault })),
  });
}

interface Times {
  readonly cron?: string | readonly string[] | undefined;
  readonly at?: readonly string[] | undefined;
  readonly days?: readonly (typeof WEEKDAYS)[number][] | undefined;
  readonly timeZone?: string | undefined;
}

function listOf(cron: Times['cron']): readonly string[] {
  if (cron === undefined) return [];
  return typeof cron === 'string' ? [cron] : cron;
}

/** The schedule's zone and those of its cron texts. */
function zonesOf({ cron, timeZone }: Times): ReadonlySet<string> {
  const zones = [timeZone, ...listOf(cron).map((text) => splitCron(text).timeZone)];
  return new Set(zones.filter((zone) => zone !== undefined));
}

function cronFaults(texts: readonly string[]): string[] {
  return texts.flatMap((text) => {
    try {
      const { calendar, timeZone: zone } = parseCron(text);
      return [
        ...(hasDays(calendar) ? [] : [`"${text}": ${NEVER}`]),
        ...(zone === undefined || isTimeZone(zone) ? [] : [timeZoneFault(zone)]),
      ];
    } catch (error) {
      if (error instanceof CronError) return [error.message];
      throw error;
    }
  });
}

export function timeZoneFault(name: string): string {
  return `"${name}" is no time zone; give an IANA name, for example Europe/Paris`;
}

/** One calendar per time of day: hours and minutes in one calendar would combine freely. */
function clockTimes({ at = [], days }: Times): Calendar[] {
  const dayOfWeek =
    days === undefined ? allOf('dayOfWeek') : only(...days.map((day) => (WEEKDAYS.indexOf(day) + 1) % 7));
  return [...new Set(at)].map((time) => {
    const [hour = 0, minute = 0] = time.split(':').map(Number);
    return {
      second: only(0),
      minute: only(minute),
      hour: only(hour),
      dayOfMonth: allOf('dayOfMonth'),
      month: allOf('month'),
      dayOfWeek,
      year: allOf('year'),
    };
  });
}

export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
