// A move's input, its progress, and the report that it leaves for an auditor.
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

/** What people may ask of a running move: the names of its updates, SDK calls and commands. */
export type MoveRequestName = 'approve' | 'pause' | 'resume' | 'abort';

/** Default lease of a fence: several times what noticing a dead worker (8 s) and a retry take. */
export const LEASE_MS_DEFAULT = 60_000;
/**
 * Shortest lease. Production needs three heartbeat timeouts and a worker's restart; shorter ones
 * are for tests.
 */
const LEASE_MS_MIN = 1_000;
const LEASE_MS_MAX = 600_000;
/**
 * Longest time for which a move can be reversed: a weekend and some days. Meanwhile the old group
 * keeps places and points, so the time must end.
 */
export const REVERSIBLE_MS_MAX = 7 * 24 * 3_600_000;
const REVERSIBLE_MS_MIN = 1_000;

export const moveOptionsSchema = z.strictObject({
  leaseMs: durationMsSchema.min(LEASE_MS_MIN).max(LEASE_MS_MAX).default(LEASE_MS_DEFAULT),
  /** Failed attempts after which the move gives up, the first one included. */
  attemptsMax: z.number().int().min(1).max(20).default(5),
  /** Raises the fence once no more than this many bytes are in transit. */
  lagBytesMax: bytesSchema.default(4 * 1024 * 1024),
  /** Longest wait for a small lag. After it the move gives up and nothing has changed. */
  lagWaitMs: durationMsSchema.max(24 * 3_600_000).default(30 * 60_000),
  /** No renewal extends an attempt beyond this time after its opening. */
  attemptDeadlineMs: durationMsSchema
    .min(LEASE_MS_MIN)
    .max(24 * 3_600_000)
    .default(2 * 3_600_000),
  /**
   * How long the "left" bookmark is kept. Default: as long as the old group's policy keeps its last
   * points.
   */
  keepLeft: keepRequestSchema.optional(),
  /**
   * Time after the commit for which `reverse` sends nothing again and is not refused: the old group
   * keeps a place for each volume, and its points of them. Default: it keeps neither.
   */
  reversibleForMs: durationMsSchema.min(REVERSIBLE_MS_MIN).max(REVERSIBLE_MS_MAX).optional(),
  /**
   * Latest time to raise a fence, milliseconds since 1970. After it the move ends with
   * WINDOW_CLOSED and nothing has changed.
   */
  fenceByMs: timeMsSchema.optional(),
  /**
   * Earliest time to raise a fence, milliseconds since 1970. Until then the move stands by at
   * "ready".
   */
  fenceFromMs: timeMsSchema.optional(),
});
export type MoveOptions = z.infer<typeof moveOptionsSchema>;

const ONE_OF = 'give either "volume" (a volume id) or "volumes" (a list of 1 to 64 volume ids), not both';

/** A move's input. `{ "volume": "vm-17-disk-0", "to": "cg-silver" }` is enough. */
export const moveInputSchema = z
  .strictObject({
    volume: volumeIdSchema.optional(),
    /** Volumes that leave at one cut. */
    volumes: z.array(volumeIdSchema).min(1).max(VOLUMES_PER_MOVE_MAX).optional(),
    to: groupIdSchema,
    /** The group that the volumes are expected in. The move is refused if they are elsewhere. */
    from: groupIdSchema.optional(),
    /** Who asked and why. The report keeps both, since the Temporal UI sends no identity. */
    operator: z.string().max(200).optional(),
    reason: z.string().max(1_000).optional(),
    /**
     * Compares each volume with its replica, online, after the join. A difference fails the
     * workflow but does not undo the move.
     */
    verify: z.boolean().optional(),
    /**
     * `manual`: the move stands by at "ready" and raises its fence when a person approves it.
     * Default: `automatic`.
     */
    cutover: z.enum(['automatic', 'manual']).optional(),
    /**
     * Waits while another move holds a volume, and then moves it only out of the group in which it
     * was when the wait began. Default: false, the move is refused.
     */
    queue: z.boolean().optional(),
    /** The batch that started the move, and the move's number in it. */
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

/** One check of a plan, and what it found. */
export const planCheckSchema = z.strictObject({
  check: z.enum([
    'volumes',
    'other moves',
    'target group',
    'owners',
    'splitters',
    'processes',
    'replication',
    'reachability',
    'recovery point interval',
    'retention',
    'journal room',
    'image accesses',
    'clocks',
  ]),
  /** `warn` does not stop the move. */
  result: z.enum(['pass', 'warn', 'refuse']),
  code: errorCodeSchema.optional(),
  message: z.string(),
});
export type PlanCheck = z.infer<typeof planCheckSchema>;

/** What a plan expects of the move. */
export const planOutlookSchema = z.strictObject({
  /** Bytes that must reach the replica and be applied before the cut. */
  bytesToFlush: bytesSchema,
  /** Median duration of recent moves; absent when none is known. */
  expectedMs: durationMsSchema.optional(),
  /** Moves that the median is of. */
  measured: z.number().int().min(0),
  /** Recovery points that contain the volumes now. All stay, under the policies of their groups. */
  points: z.array(
    z.strictObject({ volume: volumeIdSchema, count: z.number().int(), oldestAtMs: timeMsSchema.optional() }),
  ),
  /** What the move will do, step by step. */
  steps: z.array(z.strictObject({ step: moveStepSchema, does: z.string() })),
});
export type PlanOutlook = z.infer<typeof planOutlookSchema>;

/** The plan: every reason against the move at once, also those that pass by themselves. */
export const movePlanSchema = z.strictObject({
  ok: z.boolean(),
  reasons: z.array(reasonSchema),
  /**
   * Sentences about problems that don't stop the move, such as clocks that differ; absent when
   * there are none.
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
      /** The other move that holds the volume; absent while none does. */
      heldBy: moveIdSchema.optional(),
      /** How long its lease still runs, ms, unless it is renewed. */
      heldForMs: durationMsSchema.optional(),
    }),
  ),
  from: endpointSchema.optional(),
  to: endpointSchema.optional(),
  /** Every check with its finding; only in a plan that a person or program asks for. */
  checks: z.array(planCheckSchema).optional(),
  outlook: planOutlookSchema.optional(),
});
export type MovePlan = z.infer<typeof movePlanSchema>;

export const stepReportSchema = z.strictObject({
  step: z.enum([...MOVE_STEPS, 'queued', 'ready', 'resolve', 'learn', 'verify']),
  attempt: z.number().int(),
  startedAtMs: timeMsSchema,
  endedAtMs: timeMsSchema,
  /** Why the step failed; absent when it succeeded. */
  error: z.strictObject({ code: errorCodeSchema.optional(), message: z.string() }).optional(),
});
export type StepReport = z.infer<typeof stepReportSchema>;

export const moveStageSchema = z.enum([
  'planning',
  ...MOVE_STEPS,
  /** Another move holds a volume; no attempt is open. */
  'queued',
  /** The attempt is open and kept ready; the fence waits for its time or for an approval. */
  'ready',
  /** No attempt is open; a person holds the move. */
  'paused',
  'rolling-back',
  'completing-forward',
  'waiting-to-retry',
  'verify',
  'done',
  'failed',
]);
export type MoveStage = z.infer<typeof moveStageSchema>;

/** The answer of the query `progress`, during a move and after it. */
export const moveProgressSchema = z.strictObject({
  move: moveIdSchema,
  volumes: z.array(volumeIdSchema),
  to: groupIdSchema,
  from: groupIdSchema.optional(),
  stage: moveStageSchema,
  attempt: z.number().int(),
  verdict: verdictSchema.optional(),
  /** What the move waits for and what to type, as sentences; absent while it does not wait. */
  waitsFor: z.string().optional(),
  steps: z.array(stepReportSchema),
});
export type MoveProgress = z.infer<typeof moveProgressSchema>;

/** Heartbeat of the wait at "ready", of the flush and of the wait for the join. */
export const heartbeatSchema = z.strictObject({
  doing: z.enum([
    'standing by',
    'waiting for small lag',
    'fencing',
    'draining',
    'teaching splitters',
    'waiting for join',
  ]),
  bytesLeft: bytesSchema,
  /** How fast they become fewer, bytes/s; absent while they don't. */
  bytesPerSecond: z.number().positive().optional(),
  /** How long the fence has been up; absent before the fence. */
  fencedMs: durationMsSchema.optional(),
  /** Why it waits, when it is not for bytes alone, e.g. "vm-1-disk-0 is INITIALIZING". */
  waitsFor: z.string().optional(),
  leaseExpiresAtMs: timeMsSchema.optional(),
});
export type Heartbeat = z.infer<typeof heartbeatSchema>;

export const movedVolumeSchema = z.strictObject({
  volume: volumeIdSchema,
  splitter: splitterIdSchema,
  epochBefore: epochSchema,
  epochAfter: epochSchema,
  cut: sealSchema,
  /** Size of the backlog when the verdict was learned. */
  backlogBytes: bytesSchema,
  /**
   * Bytes that short initialization sent between fence and join; 0 when nothing had to be resent.
   */
  resentBytes: bytesSchema,
  /** Spans during the move of which only the end state can be recovered; empty without faults. */
  holes: z.array(holeSchema),
});
export type MovedVolume = z.infer<typeof movedVolumeSchema>;

/** The result of a move: everything that an auditor asks. */
export const moveReportSchema = z.strictObject({
  move: moveIdSchema,
  outcome: z.literal('moved'),
  /** Whether the move failed or was cancelled after the commit and compensation completed it. */
  completedForward: z.boolean(),
  attempt: attemptRefSchema,
  volumes: z.array(movedVolumeSchema),
  from: endpointSchema,
  to: endpointSchema,
  operator: z.string().optional(),
  reason: z.string().optional(),
  startedAtMs: timeMsSchema,
  endedAtMs: timeMsSchema,
  /** Time from the first splitter's fence until the last one learned the verdict. */
  fencedMs: durationMsSchema,
  cutAtMs: timeMsSchema,
  committedAtMs: timeMsSchema,
  /** The end of the way back, as the commit set it; absent for a move without one. */
  reversibleUntilMs: timeMsSchema.optional(),
  bookmarks: z.strictObject({
    left: z.strictObject({ point: pointIdSchema, group: groupIdSchema, name: z.string() }),
    joined: z.strictObject({ point: pointIdSchema, group: groupIdSchema, name: z.string() }),
  }),
  steps: z.array(stepReportSchema),
  /** Earlier attempts that were rolled back, each with its reason. */
  abortedAttempts: z.array(z.strictObject({ n: z.number().int(), reason: z.string() })),
  /**
   * Volumes whose replica equals the source after the move; absent when no verification was asked
   * for.
   */
  verified: z.array(verifiedVolumeSchema).optional(),
});
export type MoveReport = z.infer<typeof moveReportSchema>;
