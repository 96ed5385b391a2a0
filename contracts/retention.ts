// How long recovery points are kept: a group's policy, a bookmark's own keep, and what a group's
// history costs.
import { z } from 'zod';
import { bytesSchema, countSchema, durationMsSchema, timeMsSchema } from './numbers.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const GIB = 1024 ** 3;
/** Longest period of a policy: points of ten years. */
const PERIOD_MS_MAX = 3_660 * DAY_MS;

const periodSchema = durationMsSchema.max(PERIOD_MS_MAX);

/**
 * A group's policy. Each period is counted back from now: every point of the first, then the first
 * of each hour (UTC), day and week. What is older than the longest of them is dropped; so is the
 * oldest when the journal is full.
 */
export const retentionPolicySchema = z.strictObject({
  keepAllMs: periodSchema.default(HOUR_MS),
  hourlyMs: periodSchema.default(DAY_MS),
  dailyMs: periodSchema.default(7 * DAY_MS),
  weeklyMs: periodSchema.default(28 * DAY_MS),
  /**
   * UNDO that the group's points may cost, in bytes. Full, the group drops its own oldest points;
   * the guest never waits.
   */
  journalBytesMax: bytesSchema.min(1024 * 1024).default(64 * GIB),
});
export type RetentionPolicy = z.output<typeof retentionPolicySchema>;

/**
 * How long a bookmark is kept: as the group's policy keeps its last points, until a time, or for
 * ever.
 */
export const keepSchema = z.union([
  z.literal('policy'),
  z.literal('forever'),
  z.strictObject({ untilMs: timeMsSchema }),
]);
export type Keep = z.infer<typeof keepSchema>;

/** The same as asked for: a period starts when the bookmark is made. */
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
  /** A sentence: what is full, and what was done. */
  message: z.string(),
});

/** What the recovery points of a group cost, as of the last look (once a minute). */
export const groupJournalSchema = z.strictObject({
  /** UNDO that is kept for the group's points. */
  bytes: bytesSchema,
  /** Points dropped because the journal was full, in the group's whole life. */
  pointsDropped: countSchema,
  /**
   * Set while the journal is full, and for an hour after it last was; longer while it is not well
   * below its limit.
   */
  alert: journalAlertSchema.optional(),
});
export type GroupJournal = z.infer<typeof groupJournalSchema>;
