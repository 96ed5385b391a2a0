// State that a batch hands to the next run of its workflow, and results of its activities. Moves
// are numbers here, not volumes, so that a batch of any size stays small.
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

/** Moves of one batch. Each costs one bit of the state passed from run to run. */
export const BATCH_PLANNED_MAX = 1_000_000;
/**
 * How far a batch looks ahead: moves it may pass over because a limit of their groups or appliances
 * is reached.
 */
export const BATCH_LOOK_AHEAD_MAX = 400;
/** No new move starts while this many failed moves await a retry. */
export const BATCH_RETRIES_WAITING_MAX = 500;
/** Volumes with a pending skip, applied when their turn comes. */
export const BATCH_SKIPS_MAX = 1_000;
/**
 * Events after which the workflow continues as new. The server warns at 4,096. Between two checks
 * at most 50 starts (4 events each) and 500 ends with their workflow tasks are added.
 */
export const BATCH_RUN_EVENTS_MAX = 2_000;

/** How a move of a batch ended. */
export const moveEndSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('moved'), tookMs: durationMsSchema }),
  /** The volumes were in the target group already when the move's turn came. */
  z.strictObject({ kind: z.literal('there') }),
  /** The move gave up before its fence because the window ended. It is queued again. */
  z.strictObject({ kind: z.literal('window-closed') }),
  z.strictObject({ kind: z.literal('cancelled') }),
  z.strictObject({
    kind: z.literal('failed'),
    code: errorCodeSchema.optional(),
    message: z.string(),
    /**
     * No retry can help: the move is committed and failed afterwards, or its time for a fence
     * (`fenceByMs`) is past and nothing was moved. Recorded histories have this name.
     */
    stands: z.boolean(),
  }),
]);
export type MoveEnd = z.infer<typeof moveEndSchema>;

/** The end of a move that an activity waited for. */
export const awaitedMoveSchema = z.strictObject({
  workflowId: z.string(),
  /**
   * Absent when the workflow does not exist, or ended and belongs to another batch. The move is
   * queued again.
   */
  end: moveEndSchema.optional(),
  /** The run id that, with the workflow id, names the move. */
  firstRunId: z.string().optional(),
  /** The workflow was terminated or timed out, so it left no report of its own. */
  isLost: z.boolean(),
});
export type AwaitedMove = z.infer<typeof awaitedMoveSchema>;

export const plannedBatchSchema = z.strictObject({
  planned: countSchema,
  alreadyThere: countSchema,
  refused: countSchema,
  leftOut: z.array(batchLeftOutSchema).max(BATCH_FAILURES_SHOWN_MAX),
  /** Events after which the workflow continues as new, as the worker is configured. */
  runEventsMax: countSchema,
});
export type PlannedBatch = z.infer<typeof plannedBatchSchema>;

export const openWindowSchema = z.strictObject({ opensAtMs: timeMsSchema, closesAtMs: timeMsSchema });
export type OpenWindow = z.infer<typeof openWindowSchema>;

/** One move on its way through a batch. */
export const batchTicketSchema = z.strictObject({
  seq: countSchema,
  /** How often `retryFailed` queued it again. */
  round: countSchema,
  /** Workflows started for it in this round. */
  starts: countSchema,
  failures: countSchema,
});
export type BatchTicket = z.infer<typeof batchTicketSchema>;

/** The failure of the last try, kept for the report until the next try ends. */
const lastFailureSchema = z.strictObject({ code: errorCodeSchema.optional(), message: z.string() });

export const stopSchema = z.strictObject({
  why: z.enum(['aborted', 'cancelled', 'failures', 'canary', 'window']),
  running: runningSchema,
  /** The request as a sentence. */
  text: z.string(),
});
export type Stop = z.infer<typeof stopSchema>;

/** A set of move numbers as pairs of word index and 32-bit word. */
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
  /** Histogram of the moves' durations: bucket and count. */
  durations: z.array(z.tuple([countSchema, countSchema])),
  /** Times of the last starts, for the rate limit. */
  starts: z.array(timeMsSchema),
  /** Ends of the last minutes: start of a span and count. */
  ends: z.array(z.tuple([timeMsSchema, countSchema])),
  pausedBy: z.string().optional(),
  canary: z.enum(['none', 'running', 'waiting', 'passed']),
  window: openWindowSchema.optional(),
  stop: stopSchema.optional(),
  lastRequest: z.string().optional(),
});
export type CarriedBatch = z.infer<typeof carriedBatchSchema>;

/**
 * The part of a batch's input that later runs need: all but the list of moves, which is a stored
 * plan by then.
 */
export const batchSettingsSchema = z.strictObject(batchInputSchema.shape).omit({ moves: true });
export type BatchSettings = z.output<typeof batchSettingsSchema>;
