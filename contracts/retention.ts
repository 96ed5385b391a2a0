// How long recovery points are kept: a group's policy, a bookmark's own keep, and the cost of a
// group's history.
import { z } from 'zod';
import { bytesSchema, countSchema, durationMsSchema, timeMsSchema } from './numbers.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const GIB = 1024 ** 3;
/** Longest period of a policy: ten years. */
const PERIOD_MS_MAX = 3_660 * DAY_MS;

/**
 * Longest lock of a bookmark: a year and a day. Nobody can end a lock, and what it holds fills the
 * group's journal. It can be lengthened again and again.
 */
export const LOCK_MS_MAX = 366 * DAY_MS;

const periodSchema = durationMsSchema.max(PERIOD_MS_MAX);

/**
 * A group's policy. Periods count back from now. The first keeps every point; the others keep the
 * first point of each hour (UTC), day and week. Points older than the longest period are dropped.
 * When the journal is full, the oldest are dropped too.
 */
export const retentionPolicySchema = z.strictObject({
  keepAllMs: periodSchema.default(HOUR_MS),
  hourlyMs: periodSchema.default(DAY_MS),
  dailyMs: periodSchema.default(7 * DAY_MS),
  weeklyMs: periodSchema.default(28 * DAY_MS),
  /**
   * Limit of UNDO kept for the group's points, bytes. At the limit the group drops its own oldest
   * points; the guest never waits.
   */
  journalBytesMax: bytesSchema.min(1024 * 1024).default(64 * GIB),
});
export type RetentionPolicy = z.output<typeof retentionPolicySchema>;

/** The longest period of a policy, ms: a group's points are kept so long at most. */
export function longestKeepMs({ keepAllMs, hourlyMs, dailyMs, weeklyMs }: RetentionPolicy): number {
  return Math.max(keepAllMs, hourlyMs, dailyMs, weeklyMs);
}

const { keepAllMs, hourlyMs, dailyMs, weeklyMs, journalBytesMax } = retentionPolicySchema.shape;
/** A change of a policy: what is left out stays as it is. */
export const retentionChangeSchema = z.strictObject({
  keepAllMs: keepAllMs.unwrap().optional(),
  hourlyMs: hourlyMs.unwrap().optional(),
  dailyMs: dailyMs.unwrap().optional(),
  weeklyMs: weeklyMs.unwrap().optional(),
  journalBytesMax: journalBytesMax.unwrap().optional(),
});
export type RetentionChange = z.output<typeof retentionChangeSchema>;

/**
 * How long a bookmark is kept: as long as the policy keeps the group's last points, until a time,
 * or for ever.
 */
export const keepSchema = z.union([
  z.literal('policy'),
  z.literal('forever'),
  z.strictObject({ untilMs: timeMsSchema }),
]);
export type Keep = z.infer<typeof keepSchema>;

/** A keep as requested. A period starts when the bookmark is made. */
export const keepRequestSchema = z.union([
  z.literal('policy'),
  z.literal('forever'),
  z.strictObject({ forMs: periodSchema.min(1) }),
]);
export type KeepRequest = z.infer<typeof keepRequestSchema>;

export const journalAlertSchema = z.strictObject({
  sinceMs: timeMsSchema,
  /** When the journal was last full. */
  lastMs: timeMsSchema,
  /** What is full and what was done about it, as a sentence. */
  message: z.string(),
});

/** The cost of a group's recovery points when last measured (once a minute). */
export const groupJournalSchema = z.strictObject({
  /** Bytes of UNDO kept for the group's points. */
  bytes: bytesSchema,
  /** Points dropped because the journal was full, since the group was created. */
  pointsDropped: countSchema,
  /**
   * Set while the journal is full and for an hour after; longer while usage is not well below the
   * limit.
   */
  alert: journalAlertSchema.optional(),
});
export type GroupJournal = z.infer<typeof groupJournalSchema>;
