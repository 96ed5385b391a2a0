// What a batch hands from one run of its workflow to the next, and what its activities tell it:
// numbers rather than volumes, so that a batch of any size stays small.
import { z } from 'zod';
import {
  BATCH_CONCURRENCY_MAX,
  BATCH_FAILURES_SHOWN_MAX,
  batchFailureSchema,
  batchIdSchema,
  batchInputSchema,
  batchLeftOutSchema,
  concurrencySchema,
  runningSchema,
} from './batch.js';
import { errorCodeSchema } from './errors.js';
import { volumeIdSchema } from './ids.js';
import { countSchema, durationMsSchema, timeMsSchema } from './numbers.js';

/** Moves of one batch: one bit for each goes from run to run. */
export const BATCH_PLANNED_MAX = 1_000_000;
/**
 * Moves looked at and passed over because a limit of their groups or appliances is reached: how far
 * a batch looks ahead.
 */
export const BATCH_LOOK_AHEAD_MAX = 400;
/** Failed moves that wait for their next try; while it is so many, no further ones are begun. */
export const BATCH_RETRIES_WAITING_MAX = 500;
/** Volumes that are to be skipped when their turn comes. */
export const BATCH_SKIPS_MAX = 1_000;
/**
 * Events after which a new run goes on. The server warns at 4,096; between two looks at the length
 * come at most 50 starts (4 events each) and what ended meanwhile, 500 ends and their workflow
 * tasks at the most.
 */
export const BATCH_RUN_EVENTS_MAX = 2_000;

/** How a move of a batch ended. */
export const moveEndSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('moved'), tookMs: durationMsSchema }),
  /** It was in its target group when its turn came. */
  z.strictObject({ kind: z.literal('there') }),
  /** It gave up before its fence because the window ended: its turn comes again. */
  z.strictObject({ kind: z.literal('window-closed') }),
  z.strictObject({ kind: z.literal('cancelled') }),
  z.strictObject({
    kind: z.literal('failed'),
    code: errorCodeSchema.optional(),
    message: z.string(),
    /**
     * The volumes are in their target all the same (what failed came after the move): no further
     * try can help.
     */
    stands: z.boolean(),
  }),
]);
export type MoveEnd = z.infer<typeof moveEndSchema>;

/** The end of a move that an activity awaited. */
export const awaitedMoveSchema = z.strictObject({
  workflowId: z.string(),
  /**
   * Absent when there is no such workflow, or it was of another batch and has ended: the move's
   * turn comes again.
   */
  end: moveEndSchema.optional(),
  /** Names the move together with the workflow id. */
  firstRunId: z.string().optional(),
  /** Terminated or timed out: it left no report itself. */
  isLost: z.boolean(),
});
export type AwaitedMove = z.infer<typeof awaitedMoveSchema>;

export const plannedBatchSchema = z.strictObject({
  planned: countSchema,
  alreadyThere: countSchema,
  refused: countSchema,
  leftOut: z.array(batchLeftOutSchema).max(BATCH_FAILURES_SHOWN_MAX),
  /** Events of one run of the workflow, after which a new one goes on: the worker says. */
  runEventsMax: countSchema,
});
export type PlannedBatch = z.infer<typeof plannedBatchSchema>;

export const openWindowSchema = z.strictObject({ opensAtMs: timeMsSchema, closesAtMs: timeMsSchema });
export type OpenWindow = z.infer<typeof openWindowSchema>;

/** One move on its way through a batch. */
export const batchTicketSchema = z.strictObject({
  seq: countSchema,
  /** How often `retryFailed` brought it back. */
  round: countSchema,
  /** Workflows begun for it in this round. */
  starts: countSchema,
  failures: countSchema,
});
export type BatchTicket = z.infer<typeof batchTicketSchema>;

/** A failure as it is kept until the last try. */
const lastFailureSchema = z.strictObject({ code: errorCodeSchema.optional(), message: z.string() });

export const stopSchema = z.strictObject({
  why: z.enum(['aborted', 'cancelled', 'failures', 'canary', 'window']),
  running: runningSchema,
  /** A sentence. */
  text: z.string(),
});
export type Stop = z.infer<typeof stopSchema>;

/** Of a set of numbers: 32 at a time, by place. */
export const seqSetSchema = z.array(z.tuple([countSchema, countSchema]));

export const carriedBatchSchema = z.strictObject({
  batch: batchIdSchema,
  startedAtMs: timeMsSchema,
  runs: countSchema,
  plan: plannedBatchSchema.optional(),
  concurrency: concurrencySchema,
  cursor: countSchema,
  round: countSchema,
  moved: countSchema,
  there: countSchema,
  cancelled: countSchema,
  skipped: countSchema,
  failed: seqSetSchema,
  again: seqSetSchema,
  passed: z.array(batchTicketSchema).max(BATCH_LOOK_AHEAD_MAX + BATCH_CONCURRENCY_MAX),
  retries: z
    .array(batchTicketSchema.extend({ dueAtMs: timeMsSchema, last: lastFailureSchema }))
    .max(BATCH_RETRIES_WAITING_MAX + BATCH_CONCURRENCY_MAX),
  flying: z
    .array(batchTicketSchema.extend({ workflowId: z.string(), startedAtMs: timeMsSchema, cancelAsked: z.boolean() }))
    .max(BATCH_CONCURRENCY_MAX),
  skips: z.array(volumeIdSchema).max(BATCH_SKIPS_MAX),
  failures: z.array(batchFailureSchema).max(BATCH_FAILURES_SHOWN_MAX),
  /** Moves by how long they took: counts by rung of a ladder. */
  durations: z.array(z.tuple([countSchema, countSchema])),
  /** The last starts, for the rate. */
  starts: z.array(timeMsSchema),
  /** Ends of the last minutes, counted by spans. */
  ends: z.array(z.tuple([timeMsSchema, countSchema])),
  pausedBy: z.string().optional(),
  canary: z.enum(['none', 'running', 'waiting', 'passed']),
  window: openWindowSchema.optional(),
  stop: stopSchema.optional(),
  lastRequest: z.string().optional(),
});
export type CarriedBatch = z.infer<typeof carriedBatchSchema>;

/**
 * What of a batch's input its later runs need: all but the list, which is a stored plan by then.
 */
export const batchSettingsSchema = z.strictObject(batchInputSchema.shape).omit({ moves: true });
export type BatchSettings = z.output<typeof batchSettingsSchema>;
