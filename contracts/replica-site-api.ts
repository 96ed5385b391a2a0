// The control API of the replica site. Only appliances call it. It holds the truth: owners, epochs,
// attempts, points.
import { z } from 'zod';
import {
  attemptRecordSchema,
  attemptRefSchema,
  attemptVolumeSchema,
  cutSchema,
  memberCutSchema,
  VOLUMES_PER_MOVE_MAX,
} from './attempt.js';
import {
  applianceIdSchema,
  groupIdSchema,
  moveIdSchema,
  pointIdSchema,
  splitterIdSchema,
  volumeIdSchema,
} from './ids.js';
import { auditOperation } from './audit.js';
import { clockDoubtSchema } from './clock.js';
import { GROUP_MEMBERS_MAX } from './group-size.js';
import { healthOperation } from './health.js';
import { siteLifecycleApi } from './lifecycle.js';
import { inventoryVolumeSchema, labelsSchema, vmSchema, volumeFilterFields } from './inventory.js';
import {
  bytesSchema,
  countSchema,
  durationMsSchema,
  epochSchema,
  positionSchema,
  sessionSchema,
  ticketSchema,
  timeMsSchema,
  writeNumberSchema,
} from './numbers.js';
import {
  BOOKMARK_NAME_LENGTH_MAX,
  damagedMemberSchema,
  foundPointSchema,
  holeSchema,
  leftOutSchema,
  ownershipSchema,
  recoveryPointSchema,
} from './point.js';
import { REVERSIBLE_MS_MAX } from './move.js';
import { siteProcessesApi } from './processes.js';
import { repairReplicaApi } from './repair.js';
import { reportsApi } from './report.js';
import { requestSchema } from './request.js';
import { groupJournalSchema, keepRequestSchema, LOCK_MS_MAX, retentionPolicySchema } from './retention.js';
import type { Role } from './roles.js';
import { operation } from './route.js';
import { verifyReplicaApi } from './verify.js';

/** Rows in one page of a listing. */
export const PAGE_ROWS_MAX = 1_000;
/** Images that one keep-alive call may name: as many as the largest group has members. */
export const IMAGES_KEPT_PER_CALL_MAX = GROUP_MEMBERS_MAX;

const cutsSchema = z.array(cutSchema).min(1).max(VOLUMES_PER_MOVE_MAX);
const pageInput = z.strictObject({
  cursor: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(PAGE_ROWS_MAX).default(PAGE_ROWS_MAX),
});
const attemptInput = z.strictObject({ attempt: attemptRefSchema });
/**
 * Most bytes of an image that one question about holes or changes covers: all of the largest
 * volume. The answer has a bounded number of parts.
 */
export const IMAGE_MAP_BYTES_MAX = 64 * 1024 ** 4;
const imageRangeSchema = z.strictObject({
  image: z.string(),
  /** Bytes from the start of the volume. */
  offset: bytesSchema,
  /** Bytes. */
  length: bytesSchema.min(1).max(IMAGE_MAP_BYTES_MAX),
});
/** Input of a step of an open attempt. The call may also renew the attempt's lease. */
const stepInput = attemptInput.extend({ leaseMs: durationMsSchema.optional() });

/**
 * Work on a volume that a full or failing disk blocks. Nothing durable is lost, and everything else
 * continues.
 */
const volumeStallSchema = z.strictObject({
  /** What is blocked: accepting new writes, applying durable ones, or dropping history. */
  part: z.enum(['intake', 'distribution', 'retention']),
  sinceMs: timeMsSchema,
  /** The system's error message with the path. */
  message: z.string(),
});

/** When a volume or group was retired. */
export const retiredSchema = z.strictObject({ atMs: timeMsSchema });

/** A volume as the replica site knows it. */
export const siteVolumeSchema = z.strictObject({
  volume: volumeIdSchema,
  /** The splitter that protects it. */
  splitter: splitterIdSchema,
  sizeBytes: bytesSchema,
  group: groupIdSchema,
  appliance: applianceIdSchema,
  epoch: epochSchema,
  durable: z.strictObject({
    position: positionSchema,
    session: sessionSchema,
    n: writeNumberSchema,
    timeMs: timeMsSchema,
  }),
  appliedPosition: positionSchema,
  /** Durable bytes not yet applied to the replica volume. */
  undistributedBytes: bytesSchema,
  /** Whether a short initialization is running. Until it ends no point may contain the volume. */
  initializing: z.boolean(),
  /**
   * Sentences about damage at this site: what is damaged, what that means, what to type. Absent
   * when none is known.
   */
  damage: z.array(z.string()).optional(),
  /** Absent while no disk blocks anything. */
  stalls: z.array(volumeStallSchema).optional(),
  /**
   * The attempt open on the volume. One with an expired lease is not shown: anyone who needs the
   * volume may abort it.
   */
  openAttempt: attemptRefSchema.optional(),
  /** How long that attempt's lease still runs, unless it is renewed. */
  openAttemptLeaseMs: durationMsSchema.optional(),
  /** The open way back of the move that brought it here. */
  wayBack: z
    .strictObject({
      move: moveIdSchema,
      /** The group that the volumes came from. */
      to: groupIdSchema,
      untilMs: timeMsSchema,
      /** Volumes of the move: they go back together. */
      volumes: countSchema,
    })
    .optional(),
  /** The virtual machine that owns the disk. */
  vm: vmSchema.optional(),
  labels: labelsSchema.optional(),
  /** Set once its replication was ended for good. It is in no group then; its points are kept. */
  retired: retiredSchema.optional(),
});
export type SiteVolume = z.infer<typeof siteVolumeSchema>;

export const siteGroupSchema = z.strictObject({
  group: groupIdSchema,
  appliance: applianceIdSchema,
  volumesMax: countSchema,
  /** How often the appliance closes a recovery point. */
  pointEveryMs: durationMsSchema,
  /** The RPO that was set for it; absent: what its interval of points allows. */
  rpoMsMax: durationMsSchema.optional(),
  volumes: countSchema,
  /**
   * Places reserved: for volumes of open attempts, until the attempts' leases run out, and for
   * volumes of moves that can be reversed.
   */
  reserved: countSchema,
  retention: retentionPolicySchema,
  journal: groupJournalSchema,
  /** Set once it was ended: no points of it are closed any more. */
  retired: retiredSchema.optional(),
});
export type SiteGroup = z.infer<typeof siteGroupSchema>;

/** An attempt that has no verdict yet. */
export const openAttemptSchema = z.strictObject({
  record: attemptRecordSchema,
  /** How long its lease still runs, unless it is renewed. 0: anyone may abort the attempt. */
  leaseMs: durationMsSchema,
});
export type OpenAttempt = z.infer<typeof openAttemptSchema>;

/**
 * A fault: whether distribution of a volume is paused. It lasts until told otherwise or until the
 * process ends.
 */
const distributionSchema = z.strictObject({ volume: volumeIdSchema, paused: z.boolean() });

/** A move that can be reversed now. */
const openWayBackSchema = z.strictObject({
  move: moveIdSchema,
  volumes: z.array(volumeIdSchema),
  /** The group that has the volumes now. */
  group: groupIdSchema,
  /** The group that they came from. */
  to: groupIdSchema,
  untilMs: timeMsSchema,
});
export type OpenWayBack = z.infer<typeof openWayBackSchema>;

export const drainProgressSchema = z.strictObject({
  /** Whether everything up to every cut is applied to the replica volumes. */
  drained: z.boolean(),
  /** Durable bytes up to the cuts that are not yet applied. */
  bytesLeft: bytesSchema,
  /** Records up to the cuts that have not reached the replica site. */
  recordsMissing: countSchema,
});
export type DrainProgress = z.infer<typeof drainProgressSchema>;

/**
 * The next ticket at the time when the attempt was planned: the attempt can have no lower one. The
 * site has forgotten attempts that are long over, and tells a late call of one by its floor. Absent
 * in calls of earlier versions, whose attempts are never forgotten.
 */
const floorSchema = ticketSchema;

export const attemptsApi = {
  ticketFloor: operation({
    method: 'GET',
    path: '/v1/attempts/floor',
    roles: ['read'],
    summary: 'The next ticket. An attempt that is planned now names it when it is opened or resolved.',
    input: z.strictObject({}),
    output: z.strictObject({ floor: floorSchema }),
  }),
  openAttempts: operation({
    method: 'GET',
    path: '/v1/attempts/list',
    roles: ['read'],
    summary: 'The attempts without a verdict, by name: what each is about, and how long its lease still runs.',
    input: pageInput,
    output: z.strictObject({
      attempts: z.array(openAttemptSchema),
      /** Names of open attempts whose records can’t be read. On the first page only. */
      unreadable: z.array(z.string()),
      next: z.string().optional(),
    }),
  }),
  open: operation({
    method: 'POST',
    path: '/v1/attempts/open',
    roles: ['move'],
    summary:
      'Open an attempt on all its volumes, or repeat the stored answer. Aborts expired attempts that are in its way. Refused (STALE_ATTEMPT) if the attempt may be a forgotten one.',
    input: z.strictObject({
      attempt: attemptRefSchema,
      volumes: z.array(attemptVolumeSchema).min(1).max(VOLUMES_PER_MOVE_MAX),
      from: groupIdSchema,
      to: groupIdSchema,
      leaseMs: durationMsSchema,
      /**
       * No renewal extends the attempt beyond this many milliseconds after its opening, so that a
       * zombie can't renew for ever.
       */
      deadlineAfterMs: durationMsSchema,
      /** How long after the commit the move can be reversed. Default: it can't be relied on. */
      reversibleForMs: durationMsSchema.max(REVERSIBLE_MS_MAX).optional(),
      floor: floorSchema.optional(),
    }),
    output: attemptRecordSchema,
  }),
  renew: operation({
    method: 'POST',
    path: '/v1/attempts/renew',
    roles: ['move'],
    routine: true,
    summary: 'Renew the lease of an open attempt, up to its deadline.',
    input: attemptInput.extend({ leaseMs: durationMsSchema }),
    output: attemptRecordSchema,
  }),
  drain: operation({
    method: 'POST',
    path: '/v1/attempts/drain',
    roles: ['move'],
    routine: true,
    summary: 'How far the replica volumes are from the cuts. Changes nothing.',
    input: attemptInput.extend({ cuts: cutsSchema }),
    output: drainProgressSchema,
  }),
  seal: operation({
    method: 'POST',
    path: '/v1/attempts/seal',
    roles: ['move'],
    summary:
      'Snapshot: pin a recovery point of the old group exactly at the cuts. Refused (NOT_DRAINED) unless applied = cut for every volume.',
    input: stepInput.extend({
      cuts: cutsSchema,
      /** Wall time of the cuts. */
      atMs: timeMsSchema,
      doubt: clockDoubtSchema.optional(),
      /** Applications of the volumes were frozen at the cuts. */
      applicationConsistent: z.literal(true).optional(),
      others: z.array(cutSchema).max(GROUP_MEMBERS_MAX).default([]),
    }),
    output: attemptRecordSchema,
  }),
  bookmark: operation({
    method: 'POST',
    path: '/v1/attempts/bookmark',
    roles: ['move'],
    summary: 'Put the pending "left" bookmark on the snapshot.',
    input: stepInput.extend({
      name: z.string().min(1).max(BOOKMARK_NAME_LENGTH_MAX).optional(),
      keep: keepRequestSchema.optional(),
    }),
    output: attemptRecordSchema,
  }),
  adopt: operation({
    method: 'POST',
    path: '/v1/attempts/adopt',
    roles: ['move'],
    summary:
      'The commit: in one transaction the new group owns every volume, at epoch + 1, and the "left" bookmark is in force.',
    input: stepInput,
    output: attemptRecordSchema,
  }),
  resolve: operation({
    method: 'POST',
    path: '/v1/attempts/resolve',
    roles: ['move', 'replicate'],
    summary:
      'The verdict, for ever: an open or unknown attempt becomes ABORTED; a decided one is returned as it is. Refused (STALE_ATTEMPT) if the attempt may be a forgotten one: it is over.',
    input: attemptInput.extend({
      reason: z.string().max(1_000).default('resolved'),
      /**
       * The attempt's ticket, if the caller knows it. A site that lost it gives no later attempt
       * the same one.
       */
      ticket: ticketSchema.optional(),
      floor: floorSchema.optional(),
      /**
       * Leaves an attempt open while its lease runs. For callers that only check whether anybody
       * still works on it.
       */
      onlyIfExpired: z.boolean().default(false),
    }),
    output: attemptRecordSchema,
  }),
  get: operation({
    method: 'GET',
    path: '/v1/attempts',
    roles: ['read'],
    summary: 'The record of an attempt.',
    input: z.strictObject({ move: moveIdSchema, n: z.coerce.number().int().min(1) }),
    output: attemptRecordSchema,
  }),
  waysBack: operation({
    method: 'GET',
    path: '/v1/ways-back',
    roles: ['read'],
    summary: 'The open ways back: moves that can be reversed, with until when.',
    input: pageInput,
    output: z.strictObject({ waysBack: z.array(openWayBackSchema), next: z.string().optional() }),
  }),
  finalize: operation({
    method: 'POST',
    path: '/v1/ways-back/finalize',
    roles: ['operate'],
    summary:
      'End the way back of a move: its old group keeps nothing for it any more. One that has ended stays as it is. Refused (NOT_REVERSIBLE) for a move without one.',
    input: requestSchema.extend({ move: moveIdSchema }),
    output: attemptRecordSchema,
  }),
} as const;

export const pointsApi = {
  listPoints: operation({
    method: 'GET',
    path: '/v1/points',
    roles: ['read'],
    summary:
      'Recovery points, oldest first: of a group, or every point of any group that contains a volume; with the holes of the volume, and when which group owned it (of a group: which volumes it owned).',
    input: pageInput.extend({ group: groupIdSchema.optional(), volume: volumeIdSchema.optional() }),
    output: z.strictObject({
      points: z.array(recoveryPointSchema),
      holes: z.array(holeSchema),
      owners: z.array(ownershipSchema),
      /** Members of this page's points that need data known to be damaged. Other members open. */
      damaged: z.array(damagedMemberSchema).optional(),
      next: z.string().optional(),
    }),
  }),
  markPoint: operation({
    method: 'POST',
    path: '/v1/points/mark',
    roles: ['operate'],
    summary:
      'Name a recovery point, or change how long its bookmark is kept. The names of "left" and "joined" bookmarks stay.',
    input: z.strictObject({
      point: pointIdSchema,
      /** Absent: the bookmark keeps its name. */
      name: z.string().min(1).max(BOOKMARK_NAME_LENGTH_MAX).optional(),
      keep: keepRequestSchema,
    }),
    output: recoveryPointSchema,
  }),
  lockPoint: operation({
    method: 'POST',
    path: '/v1/points/lock',
    roles: ['operate'],
    summary:
      'Lock the bookmark of a recovery point for a time from now on: whoever asks, it is kept so long, and keeps its name. A lock is only ever lengthened (BOOKMARK_LOCKED).',
    input: requestSchema.extend({ point: pointIdSchema, forMs: durationMsSchema.min(1).max(LOCK_MS_MAX) }),
    output: recoveryPointSchema,
  }),
  findPoint: operation({
    method: 'GET',
    path: '/v1/points/find',
    roles: ['read'],
    summary:
      'The last point of the group or volume, in the order of the timeline, whose own time is not later than the time given; with a sentence if a clock was in doubt around it.',
    input: z.strictObject({
      group: groupIdSchema.optional(),
      volume: volumeIdSchema.optional(),
      atMs: z.coerce.number().int().min(0).optional(),
      point: pointIdSchema.optional(),
    }),
    output: foundPointSchema,
  }),
} as const;

export const replicaSiteApi = {
  health: healthOperation,
  audit: auditOperation,
  ...attemptsApi,
  ...pointsApi,
  ...verifyReplicaApi,
  ...reportsApi,
  ...repairReplicaApi,
  ...siteLifecycleApi,
  ...siteProcessesApi,
  groups: operation({
    method: 'GET',
    path: '/v1/groups',
    roles: ['read'],
    summary:
      'The groups of the site: all, or those that an appliance serves, or one (GROUP_NOT_FOUND if there is none).',
    input: pageInput.extend({ group: groupIdSchema.optional(), appliance: applianceIdSchema.optional() }),
    output: z.strictObject({ groups: z.array(siteGroupSchema), next: z.string().optional() }),
  }),
  volumes: operation({
    method: 'GET',
    path: '/v1/volumes',
    roles: ['read'],
    summary: 'The volumes of the site: owner, epoch, positions.',
    input: pageInput.extend(volumeFilterFields),
    output: z.strictObject({ volumes: z.array(siteVolumeSchema), next: z.string().optional() }),
  }),
  inventory: operation({
    method: 'GET',
    path: '/v1/inventory',
    roles: ['read'],
    summary: 'The volumes of the site by what is known of them without their journals: quick for estates of any size.',
    input: pageInput.extend(volumeFilterFields),
    output: z.strictObject({ volumes: z.array(inventoryVolumeSchema), next: z.string().optional() }),
  }),
  closePoint: operation({
    method: 'POST',
    path: '/v1/points/close',
    roles: ['replicate'],
    routine: true,
    summary:
      'Close a recovery point of a group from a cut. A member that is not durable up to its cut within the wait is left out.',
    input: z.strictObject({
      group: groupIdSchema,
      kind: z.enum(['periodic', 'demand']),
      /** Wall time of the cuts. */
      atMs: timeMsSchema,
      doubt: clockDoubtSchema.optional(),
      cuts: z.array(memberCutSchema).max(GROUP_MEMBERS_MAX),
      leftOut: z.array(leftOutSchema).max(GROUP_MEMBERS_MAX),
      waitMs: durationMsSchema.max(30_000),
      bookmark: z.string().min(1).max(BOOKMARK_NAME_LENGTH_MAX).optional(),
      /** How long the bookmark is kept. Default: as the group's policy says. */
      keep: keepRequestSchema.optional(),
    }),
    output: recoveryPointSchema,
  }),
  join: operation({
    method: 'POST',
    path: '/v1/attempts/join',
    roles: ['move'],
    summary:
      'Put the "joined" bookmark on this point of the new group, once: it is kept by the first point that contains every moved volume.',
    input: attemptInput.extend({ point: pointIdSchema }),
    output: attemptRecordSchema,
  }),
  openImage: operation({
    method: 'POST',
    path: '/v1/images/open',
    roles: ['replicate'],
    summary: 'Open a volume at a point, at a position (or at the newest applied position) for reading.',
    input: z.strictObject({
      volume: volumeIdSchema,
      point: pointIdSchema.optional(),
      /** The position of an image that the caller had open and lost. Not together with a point. */
      position: positionSchema.optional(),
      client: z.string().max(200),
    }),
    output: z.strictObject({ image: z.string(), sizeBytes: bytesSchema, position: positionSchema }),
  }),
  keepImages: operation({
    method: 'POST',
    path: '/v1/images/keep',
    roles: ['replicate'],
    routine: true,
    summary: 'Keep images open although nobody reads them. Returns those that are not open any more.',
    input: z.strictObject({ images: z.array(z.string()).max(IMAGES_KEPT_PER_CALL_MAX) }),
    output: z.strictObject({
      /** Images the replica site does not know, because it restarted. */
      missing: z.array(z.string()),
      /** Images that the replica site closed because they took too much space. */
      evicted: z.array(z.string()),
    }),
  }),
  mapImage: operation({
    method: 'POST',
    path: '/v1/images/map',
    roles: ['replicate'],
    routine: true,
    summary: 'Tell which parts of an open image surely read as zeroes, so that nobody needs to read them.',
    input: imageRangeSchema,
    output: z.strictObject({
      /** Begin at `offset`. They may end before the range does: ask again for the rest. */
      parts: z.array(z.strictObject({ length: bytesSchema, isHole: z.boolean() })),
    }),
  }),
  imageChanges: operation({
    method: 'POST',
    path: '/v1/images/changes',
    roles: ['replicate'],
    routine: true,
    summary: 'Tell which parts of an open image may differ from an earlier recovery point of the same volume.',
    input: imageRangeSchema.extend({ since: pointIdSchema }),
    output: z.strictObject({
      /** Begin at `offset`. They may end before the range does: ask again for the rest. */
      parts: z.array(z.strictObject({ length: bytesSchema, isChanged: z.boolean() })),
    }),
  }),
  closeImage: operation({
    method: 'POST',
    path: '/v1/images/close',
    roles: ['replicate'],
    routine: true,
    summary: 'Close an image. Closing it again is no error.',
    input: z.strictObject({ image: z.string() }),
    output: z.strictObject({}),
  }),
  setDistribution: operation({
    method: 'POST',
    path: '/v1/faults/distribution',
    roles: ['admin'],
    summary:
      'Stop applying what is durable of a volume to its replica volume, or go on: a volume that stalls, on purpose.',
    input: distributionSchema,
    output: distributionSchema,
  }),
} as const;

/**
 * Path of a raw read of an open image: GET with `image`, `offset`, `length`; answers
 * application/octet-stream. It is not in the table because it isn't JSON.
 */
export const IMAGE_READ_PATH = '/v1/images/read';
/** Roles for it: one of them is needed. */
export const IMAGE_READ_ROLES: readonly Role[] = ['replicate'];
/** Largest `length` of one raw read. */
export const IMAGE_READ_BYTES_MAX = 4 * 1024 * 1024;
/** Path where a stream is opened by HTTP upgrade, at an appliance and at the replica site. */
export const STREAM_PATH = '/v1/stream';
/** Roles for opening a stream: one of them is needed. */
export const STREAM_ROLES: readonly Role[] = ['replicate'];
/** The protocol name in the Upgrade header. */
export const STREAM_PROTOCOL = 'volume-mover-stream/1';
