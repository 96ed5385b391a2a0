// What goes into a move, what it says while it runs, and what it leaves behind for an auditor.
import { z } from 'zod';
import { attemptRefSchema, endpointSchema, sealSchema, verdictSchema, VOLUMES_PER_MOVE_MAX } from './attempt.js';
import { groupIdSchema, moveIdSchema, pointIdSchema, splitterIdSchema, volumeIdSchema } from './ids.js';
import { bytesSchema, durationMsSchema, epochSchema, timeMsSchema } from './numbers.js';
import { reasonSchema, errorCodeSchema } from './errors.js';
import { holeSchema } from './point.js';
import { keepRequestSchema } from './retention.js';
import { verifiedVolumeSchema } from './verify.js';

export const TASK_QUEUE = 'volume-mover';

/** The five steps of a move, in order; each is one activity. */
export const MOVE_STEPS = ['notify', 'flush', 'snapshot', 'bookmark', 'reconfigure'] as const;
export const moveStepSchema = z.enum(MOVE_STEPS);
export type MoveStep = z.infer<typeof moveStepSchema>;

/**
 * Default lease of a fence: outlasts noticing a dead worker (10 s) and a retry, three times over.
 */
export const LEASE_MS_DEFAULT = 60_000;
/**
 * Shortest lease: three heartbeat time-outs and a worker's restart. Shorter only makes sense in
 * tests.
 */
const LEASE_MS_MIN = 1_000;
const LEASE_MS_MAX = 600_000;

export const moveOptionsSchema = z.strictObject({
  leaseMs: durationMsSchema.min(LEASE_MS_MIN).max(LEASE_MS_MAX).default(LEASE_MS_DEFAULT),
  /** Tries after a void cut or a lapsed fence. */
  attemptsMax: z.number().int().min(1).max(20).default(5),
  /** The fence is raised once no more than this is on its way. */
  lagBytesMax: bytesSchema.default(4 * 1024 * 1024),
  /**
   * How long to wait for the lag to become small before the move gives up, with everything as
   * before.
   */
  lagWaitMs: durationMsSchema.max(24 * 3_600_000).default(30 * 60_000),
  /** An attempt renews no longer than this after its opening. */
  attemptDeadlineMs: durationMsSchema
    .min(LEASE_MS_MIN)
    .max(24 * 3_600_000)
    .default(2 * 3_600_000),
  /**
   * How long the "left" bookmark is kept; default: as the old group's policy keeps its last points.
   */
  keepLeft: keepRequestSchema.optional(),
  /**
   * No fence is raised after this time, milliseconds since 1970: the move then ends
   * (WINDOW_CLOSED), with everything as before.
   */
  fenceByMs: timeMsSchema.optional(),
});
export type MoveOptions = z.infer<typeof moveOptionsSchema>;

const ONE_OF = 'give either "volume" (a volume id) or "volumes" (a list of 1 to 64 volume ids), not both';

/** `{ "volume": "vm-17-disk-0", "to": "cg-silver" }` is enough. */
export const moveInputSchema = z
  .strictObject({
    volume: volumeIdSchema.optional(),
    /** Volumes that leave at one cut. */
    volumes: z.array(volumeIdSchema).min(1).max(VOLUMES_PER_MOVE_MAX).optional(),
    to: groupIdSchema,
    /** The group the volumes are expected in; refused if they are elsewhere. */
    from: groupIdSchema.optional(),
    /** Who asked, and why: kept in the report. The Temporal UI sends no identity. */
    operator: z.string().max(200).optional(),
    reason: z.string().max(1_000).optional(),
    /**
     * Whether each volume is compared with its replica, online, once it has joined; a difference
     * fails the workflow, not the move.
     */
    verify: z.boolean().optional(),
    /** Set by a batch for its moves. */
    batch: z.strictObject({ batch: moveIdSchema, seq: z.number().int().min(0) }).optional(),
    options: moveOptionsSchema.prefault({}),
  })
  .refine((input) => (input.volume === undefined) !== (input.volumes === undefined), {
    message: ONE_OF,
    path: ['volume'],
  })
  .refine((input) => input.volumes === undefined || new Set(input.volumes).size === input.volumes.length, {
    message: 'each volume only once',
    path: ['volumes'],
  });
export type MoveInput = z.input<typeof moveInputSchema>;
export type ParsedMoveInput = z.output<typeof moveInputSchema>;

/** The plan: every reason against the move, at once. `busy` reasons pass by themselves. */
export const movePlanSchema = z.strictObject({
  ok: z.boolean(),
  reasons: z.array(reasonSchema),
  /**
   * Sentences about what is not as it should be and stands against no move: clocks that differ.
   * Absent when there is none.
   */
  warnings: z.array(z.string()).optional(),
  volumes: z.array(
    z.strictObject({
      volume: volumeIdSchema,
      sizeBytes: bytesSchema,
      splitter: splitterIdSchema,
      epoch: epochSchema,
      unconfirmedBytes: bytesSchema,
      undistributedBytes: bytesSchema,
    }),
  ),
  from: endpointSchema.optional(),
  to: endpointSchema.optional(),
});
export type MovePlan = z.infer<typeof movePlanSchema>;

export const stepReportSchema = z.strictObject({
  step: z.enum([...MOVE_STEPS, 'resolve', 'learn', 'verify']),
  attempt: z.number().int(),
  startedAtMs: timeMsSchema,
  endedAtMs: timeMsSchema,
  /** Absent when the step did what it should. */
  error: z.strictObject({ code: errorCodeSchema.optional(), message: z.string() }).optional(),
});
export type StepReport = z.infer<typeof stepReportSchema>;

export const moveStageSchema = z.enum([
  'planning',
  ...MOVE_STEPS,
  'rolling-back',
  'completing-forward',
  'waiting-to-retry',
  'verify',
  'done',
  'failed',
]);
export type MoveStage = z.infer<typeof moveStageSchema>;

/** What the query `progress` answers while a move runs and after. */
export const moveProgressSchema = z.strictObject({
  move: moveIdSchema,
  volumes: z.array(volumeIdSchema),
  to: groupIdSchema,
  from: groupIdSchema.optional(),
  stage: moveStageSchema,
  attempt: z.number().int(),
  verdict: verdictSchema.optional(),
  steps: z.array(stepReportSchema),
});
export type MoveProgress = z.infer<typeof moveProgressSchema>;

/** Heartbeat of flush and of the wait for join. */
export const heartbeatSchema = z.strictObject({
  doing: z.enum(['waiting for small lag', 'fencing', 'draining', 'teaching splitters', 'waiting for join']),
  bytesLeft: bytesSchema,
  leaseExpiresAtMs: timeMsSchema.optional(),
});
export type Heartbeat = z.infer<typeof heartbeatSchema>;

export const movedVolumeSchema = z.strictObject({
  volume: volumeIdSchema,
  splitter: splitterIdSchema,
  epochBefore: epochSchema,
  epochAfter: epochSchema,
  cut: sealSchema,
  /** Backlog held when the verdict was learned. */
  backlogBytes: bytesSchema,
  /**
   * Bytes that short initialization sent from the fence to the join; 0 when nothing had to be sent
   * again.
   */
  resentBytes: bytesSchema,
  /**
   * Spans of the move of which only the end state can be recovered; empty in a run without faults.
   */
  holes: z.array(holeSchema),
});
export type MovedVolume = z.infer<typeof movedVolumeSchema>;

/** The result of a move: everything that an auditor asks. */
export const moveReportSchema = z.strictObject({
  move: moveIdSchema,
  outcome: z.literal('moved'),
  /** Whether a failure or cancellation after the commit made it finish through compensation. */
  completedForward: z.boolean(),
  attempt: attemptRefSchema,
  volumes: z.array(movedVolumeSchema),
  from: endpointSchema,
  to: endpointSchema,
  operator: z.string().optional(),
  reason: z.string().optional(),
  startedAtMs: timeMsSchema,
  endedAtMs: timeMsSchema,
  /** From the first splitter's fence to the last one's learning of the verdict. */
  fencedMs: durationMsSchema,
  cutAtMs: timeMsSchema,
  committedAtMs: timeMsSchema,
  bookmarks: z.strictObject({
    left: z.strictObject({ point: pointIdSchema, group: groupIdSchema, name: z.string() }),
    joined: z.strictObject({ point: pointIdSchema, group: groupIdSchema, name: z.string() }),
  }),
  steps: z.array(stepReportSchema),
  /** Tries that were rolled back before this one, each with its reason. */
  abortedAttempts: z.array(z.strictObject({ n: z.number().int(), reason: z.string() })),
  /**
   * The volumes whose replica was found to be the same after the move; absent when that was not
   * asked for.
   */
  verified: z.array(verifiedVolumeSchema).optional(),
});
export type MoveReport = z.infer<typeof moveReportSchema>;
