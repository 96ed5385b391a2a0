// A batch: many moves under limits, in a window, with one report. These are its input, its progress
// and its result.
import { z } from 'zod';
import { VOLUMES_PER_MOVE_MAX } from './attempt.js';
import { errorCodeSchema } from './errors.js';
import { groupIdSchema, moveIdSchema, volumeIdSchema } from './ids.js';
import { moveOptionsSchema } from './move.js';
import { bytesSchema, countSchema, durationMsSchema, timeMsSchema } from './numbers.js';
import { requestSchema } from './request.js';

/** Moves in an explicit list. A selector may name more. */
export const BATCH_MOVES_MAX = 2_000;
/** Size of the whole input as JSON: the workflow's history keeps it. */
export const BATCH_INPUT_BYTES_MAX = 200_000;
/** Failures that a batch itself lists. The stored reports have all of them. */
export const BATCH_FAILURES_SHOWN_MAX = 100;
/** Moves that run at once: far below the server's limit of 2,000 pending children. */
export const BATCH_CONCURRENCY_MAX = 500;

/** A batch's id: its workflow id and first run's id, like a move's. */
export const batchIdSchema = moveIdSchema;
export type BatchId = z.infer<typeof batchIdSchema>;

export const batchMoveSchema = z
  .strictObject({
    volume: volumeIdSchema.optional(),
    volumes: z.array(volumeIdSchema).min(1).max(VOLUMES_PER_MOVE_MAX).optional(),
    to: groupIdSchema,
    from: groupIdSchema.optional(),
  })
  .refine((move) => (move.volume === undefined) !== (move.volumes === undefined), {
    message: 'give either "volume" or "volumes", not both',
    path: ['volume'],
  });
export type BatchMove = z.infer<typeof batchMoveSchema>;

const PATTERN_LENGTH_MAX = 200;

/**
 * Selects the volumes that match every field, read page by page from the inventory. The disks of a
 * VM move together.
 */
export const selectorSchema = z
  .strictObject({
    from: z.union([groupIdSchema, z.array(groupIdSchema).min(1).max(1_000)]).optional(),
    /** `*` stands for any characters, `?` for one. */
    name: z.string().min(1).max(PATTERN_LENGTH_MAX).optional(),
    vm: z.string().min(1).max(PATTERN_LENGTH_MAX).optional(),
    labels: z.record(z.string(), z.string()).optional(),
  })
  .refine((select) => Object.values(select).some((value) => value !== undefined), {
    message: 'name at least one of "from", "name", "vm" and "labels"',
  });
export type Selector = z.infer<typeof selectorSchema>;

const clockTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time of day as HH:MM, 00:00 to 23:59');
export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

/**
 * When moves may run. If `end` is before `start`, it is on the next day. Days name the day of the
 * start.
 */
export const windowSchema = z.strictObject({
  /**
   * An IANA time zone. Only its form is checked here: machines differ in the zones they know, so an
   * activity checks the name.
   */
  timeZone: z
    .string()
    .max(100)
    .regex(/^[A-Za-z][A-Za-z0-9_+/-]*$/, 'an IANA time zone, for example Europe/Paris'),
  start: clockTime,
  end: clockTime,
  days: z.array(z.enum(WEEKDAYS)).min(1).optional(),
});
export type MaintenanceWindow = z.infer<typeof windowSchema>;

const concurrencyCount = z.number().int().min(1).max(BATCH_CONCURRENCY_MAX);
export const concurrencySchema = z.strictObject({
  all: concurrencyCount.default(20),
  perSourceGroup: concurrencyCount.optional(),
  perTargetGroup: concurrencyCount.optional(),
  perAppliance: concurrencyCount.optional(),
});
export type Concurrency = z.output<typeof concurrencySchema>;

/** What happens to running moves when a batch ends early. */
export const runningSchema = z.enum(['finish', 'roll-back']);

export const batchOptionsSchema = z.strictObject({
  concurrency: concurrencySchema.prefault({}),
  /** Upper limit of starts a second. */
  startsPerSecond: z.number().positive().max(1_000).optional(),
  order: z
    .union([z.enum(['listed', 'smallest-first']), z.strictObject({ byLabel: z.string().min(1).max(100) })])
    .default('listed'),
  failures: z
    .discriminatedUnion('policy', [
      z.strictObject({ policy: z.literal('continue') }),
      /**
       * Stops after so many failures or so many percent of all moves, whichever comes first.
       * Running moves finish.
       */
      z.strictObject({
        policy: z.literal('stop-after'),
        count: z.number().int().min(1).optional(),
        percent: z.number().positive().max(100).optional(),
      }),
      /** Stops at the first failure. Running moves roll back. */
      z.strictObject({ policy: z.literal('stop-now') }),
    ])
    .prefault({ policy: 'continue' }),
  retries: z
    .strictObject({
      /** Retries of a failed move; each is a move of its own. */
      max: z.number().int().min(0).max(20).default(0),
      backoffMs: durationMsSchema
        .min(100)
        .max(24 * 3_600_000)
        .default(60_000),
    })
    .prefault({}),
  window: windowSchema.optional(),
  /** Whether the batch ends as incomplete when its window ends, or waits for the next window. */
  atWindowEnd: z.enum(['finish', 'wait']).default('finish'),
  /**
   * Assumed duration of a move until this batch has measured some. No move starts unless it is
   * expected to end inside the window.
   */
  expectedMoveMs: durationMsSchema
    .min(1)
    .max(24 * 3_600_000)
    .default(60_000),
  /** Skips the batch if it starts later than this after its scheduled time. */
  startWithinMs: durationMsSchema.min(1_000).optional(),
  /**
   * Starts `count` moves first. The others wait until these succeeded and, unless `approval` is
   * false, a person approved.
   */
  canary: z.strictObject({ count: z.number().int().min(1).max(1_000), approval: z.boolean().default(true) }).optional(),
  move: moveOptionsSchema.prefault({}),
  /** Verify every volume after its move. */
  verify: z.boolean().default(false),
});
export type BatchOptions = z.output<typeof batchOptionsSchema>;

export const batchInputSchema = z
  .strictObject({
    moves: z
      .array(batchMoveSchema)
      .min(1)
      .max(BATCH_MOVES_MAX, `at most ${BATCH_MOVES_MAX} moves; name more by "select"`)
      .optional(),
    select: selectorSchema.optional(),
    /** Selects the failed moves of an earlier batch, by its id. */
    failedOf: batchIdSchema.optional(),
    /** The one target group of all selected volumes. Give this or `map`. */
    to: groupIdSchema.optional(),
    /**
     * The target group for each source group. A selected volume of a group without an entry is
     * refused.
     */
    map: z.record(groupIdSchema, groupIdSchema).optional(),
    /** Plans every move and reports; changes nothing. */
    dryRun: z.boolean().default(false),
    operator: z.string().max(200).optional(),
    reason: z.string().max(1_000).optional(),
    options: batchOptionsSchema.prefault({}),
  })
  .superRefine((input, context) => {
    const refuse = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    const sources = [input.moves, input.select, input.failedOf].filter((source) => source !== undefined).length;
    if (sources !== 1) refuse('moves', 'give exactly one of "moves", "select" and "failedOf"');
    const targets = [input.to, input.map].filter((target) => target !== undefined).length;
    if (input.select !== undefined && targets !== 1) refuse('to', 'with "select" give exactly one of "to" and "map"');
    if (input.select === undefined && targets > 0)
      refuse('to', 'only with "select": listed moves name their own groups');
    const { failures } = input.options;
    if (failures.policy === 'stop-after' && failures.count === undefined && failures.percent === undefined)
      refuse('options', 'failures.policy "stop-after" needs "count" or "percent"');
  });
export type BatchInput = z.input<typeof batchInputSchema>;
export type ParsedBatchInput = z.output<typeof batchInputSchema>;

/**
 * One planned move of a batch. The plan is stored at the replica site, so a later run only needs
 * the number where it goes on.
 */
export const batchItemSchema = z.strictObject({
  seq: countSchema,
  volumes: z.array(volumeIdSchema).min(1).max(VOLUMES_PER_MOVE_MAX),
  from: groupIdSchema,
  to: groupIdSchema,
  sizeBytes: bytesSchema,
  /** The appliances of the source and the target group. */
  appliances: z.array(z.string()).min(1).max(2),
});
export type BatchItem = z.infer<typeof batchItemSchema>;

/** A volume or move that the plan leaves out, and why. */
export const batchLeftOutSchema = z.strictObject({
  volumes: z.array(volumeIdSchema).min(1).max(VOLUMES_PER_MOVE_MAX),
  /** Where the volumes are, and their size together; absent when they don't exist. */
  from: groupIdSchema.optional(),
  sizeBytes: bytesSchema.optional(),
  to: groupIdSchema.optional(),
  code: errorCodeSchema,
  message: z.string(),
});
export type BatchLeftOut = z.infer<typeof batchLeftOutSchema>;

export const batchCountsSchema = z.strictObject({
  /** Moves of the plan without those already in their target. */
  planned: countSchema,
  /** Moves that have not started, retries included. */
  waiting: countSchema,
  running: countSchema,
  moved: countSchema,
  failed: countSchema,
  /** Cancelled by a person, or by the batch when it stopped. The volumes stayed in their group. */
  cancelled: countSchema,
  /** Already in the target group, when planned or when their turn came. */
  alreadyThere: countSchema,
  /** Skipped by the update `skip`. */
  skipped: countSchema,
  /** Refused by the plan: no such volume, no group for it, no room. */
  refused: countSchema,
});
export type BatchCounts = z.infer<typeof batchCountsSchema>;

export const batchFailureSchema = z.strictObject({
  seq: countSchema,
  volumes: z.array(volumeIdSchema),
  to: groupIdSchema,
  /** The id of its last try. */
  move: moveIdSchema.optional(),
  tries: countSchema,
  code: errorCodeSchema.optional(),
  message: z.string(),
  action: z.string().optional(),
});
export type BatchFailure = z.infer<typeof batchFailureSchema>;

export const batchStageSchema = z.enum([
  'planning',
  'waiting-for-window',
  'canary',
  'waiting-for-approval',
  'running',
  'paused',
  'stopping',
  'done',
  'failed',
]);
export type BatchStage = z.infer<typeof batchStageSchema>;

/** The answer of the query `progress`. */
export const batchProgressSchema = z.strictObject({
  batch: batchIdSchema,
  stage: batchStageSchema,
  counts: batchCountsSchema,
  concurrency: concurrencySchema,
  startedAtMs: timeMsSchema,
  /** Moves that ended per minute, averaged over the last few minutes. */
  perMinute: z.number().min(0),
  /** When the last move is expected to end; absent until it can be estimated. */
  expectedEndMs: timeMsSchema.optional(),
  /** The moves that have been running longest. */
  longest: z.array(z.strictObject({ volumes: z.array(volumeIdSchema), to: groupIdSchema, sinceMs: timeMsSchema })),
  /** The first failures. */
  failures: z.array(batchFailureSchema).max(BATCH_FAILURES_SHOWN_MAX),
  /** The last request and who made it: pause, resume, … */
  lastRequest: z.string().optional(),
  window: z.strictObject({ opensAtMs: timeMsSchema, closesAtMs: timeMsSchema }).optional(),
});
export type BatchProgress = z.infer<typeof batchProgressSchema>;

export const batchOutcomeSchema = z.enum([
  /** Every planned move was tried. The report lists any failures. */
  'complete',
  /** Every volume that the batch selects is in its target group already. */
  'all-there',
  /** The batch selects no volume. */
  'nothing-selected',
  /** The window or an abort ended the batch early. The next batch takes the rest. */
  'incomplete',
  /** The failure policy ended the batch. */
  'stopped',
  /** The batch started too late after its scheduled time. */
  'skipped-late',
  'dry-run',
  'failed',
]);

export const batchReportSchema = z.strictObject({
  batch: batchIdSchema,
  outcome: batchOutcomeSchema,
  /** Why the batch ended, as a sentence. */
  summary: z.string(),
  counts: batchCountsSchema,
  failures: z.array(batchFailureSchema).max(BATCH_FAILURES_SHOWN_MAX),
  /** The first volumes or moves that the plan refused. */
  leftOut: z.array(batchLeftOutSchema).max(BATCH_FAILURES_SHOWN_MAX),
  /**
   * Volumes that match the selector now but did not at planning; and those that matched then but no
   * longer do.
   */
  addedMeanwhile: z.array(volumeIdSchema).max(BATCH_FAILURES_SHOWN_MAX),
  removedMeanwhile: z.array(volumeIdSchema).max(BATCH_FAILURES_SHOWN_MAX),
  operator: z.string().optional(),
  reason: z.string().optional(),
  startedAtMs: timeMsSchema,
  endedAtMs: timeMsSchema,
  /** Runs of the batch's workflow, counted across continue-as-new. */
  runs: countSchema,
});
export type BatchReport = z.infer<typeof batchReportSchema>;

/** Every update takes one object that says who asks and why. */
export const abortRequestSchema = requestSchema.extend({ running: runningSchema.default('finish') });
export const concurrencyRequestSchema = requestSchema.extend({ concurrency: concurrencySchema });
export const skipRequestSchema = requestSchema.extend({ volume: volumeIdSchema });

/** The names of a batch's updates. */
export const BATCH_UPDATES = {
  pause: 'pause',
  resume: 'resume',
  abort: 'abort',
  setConcurrency: 'setConcurrency',
  skip: 'skip',
  retryFailed: 'retryFailed',
  approve: 'approve',
} as const;

/** Names that earlier versions gave to updates. A batch takes them too. */
export const BATCH_UPDATES_BEFORE = { skipVolume: 'skip', approveCanary: 'approve' } as const;
