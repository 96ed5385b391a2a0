// The control API of a splitter: what the orchestrator and the appliances may ask of a hypervisor
// host.
import { z } from 'zod';
import {
  memberCutSchema,
  attemptVolumeSchema,
  cutSchema,
  endpointSchema,
  ticketedAttemptSchema,
  verdictSchema,
  VOLUMES_PER_MOVE_MAX,
  writeMarkSchema,
} from './attempt.js';
import { auditOperation } from './audit.js';
import { clockDoubtSchema, clockViewSchema } from './clock.js';
import { groupIdSchema, pointIdSchema, splitterIdSchema, volumeIdSchema } from './ids.js';
import { confirmedSchema, lifeIdSchema, sourceIdSchema } from './lineage.js';
import { healthOperation } from './health.js';
import { splitterLifecycleApi } from './lifecycle.js';
import { bytesSchema, countSchema, durationMsSchema, epochSchema, timeMsSchema } from './numbers.js';
import { leftOutSchema } from './point.js';
import { GROUP_MEMBERS_MAX } from './group-size.js';
import { decideSourceInputSchema, resyncInputSchema } from './repair.js';
import { operation } from './route.js';
import { verifySourceApi } from './verify.js';

/**
 * Longest hold of a cut over several splitters. It is the only time a guest may wait for a move.
 */
export const HOLD_MS_MAX = 250;

/**
 * How a volume's writes reach the replica site. SYNCED: each is numbered and sent in order.
 * UNCONFIRMED: each is numbered and kept in order, but no appliance accepts them now. MARKS_ONLY:
 * only marks are kept (overflow, outage, pause, doubt). INITIALIZING: marked regions are compared
 * and sent again.
 */
export const replicationModeSchema = z.enum(['SYNCED', 'UNCONFIRMED', 'MARKS_ONLY', 'INITIALIZING']);
export type ReplicationMode = z.infer<typeof replicationModeSchema>;

/**
 * State of the source disk. `unproven`: a new disk; the replica site has not yet said whether it
 * knows the volume by another one, so guests wait and are then refused. `missing`: the disk's file
 * is gone although the volume was replicated. `foreign`: it is not the disk that the replica was
 * made from. Guests are refused both until a person decides. `recovering`: it is being rebuilt from
 * the replica.
 */
export const sourceStateSchema = z.enum(['present', 'unproven', 'missing', 'foreign', 'recovering']);
export type SourceState = z.infer<typeof sourceStateSchema>;

/**
 * The life that answered the cut. A late duplicate of the call may raise the hold again in a later
 * life, which does not count.
 */
const heldBySchema = lifeIdSchema.optional();

export const fenceSchema = z.strictObject({
  attempt: ticketedAttemptSchema,
  cut: writeMarkSchema,
  /**
   * The lease as last granted. It runs by the splitter's monotonic clock and restarts in full after
   * a restart.
   */
  leaseMs: durationMsSchema,
  /** Whether the lease ran out and the splitter is asking for the verdict. */
  lapsed: z.boolean(),
});

/** Ranges that a listing names. More may exist; they are counted. */
export const UNREADABLE_RANGES_MAX = 32;
export const byteRangeSchema = z.strictObject({ offset: bytesSchema, length: bytesSchema });
export type ByteRange = z.infer<typeof byteRangeSchema>;

export const splitterVolumeSchema = z.strictObject({
  volume: volumeIdSchema,
  splitter: splitterIdSchema,
  sizeBytes: bytesSchema,
  route: endpointSchema.extend({ epoch: epochSchema }),
  mode: replicationModeSchema,
  /** Whether this volume's stream to the route's appliance is up. */
  connected: z.boolean(),
  /** The newest numbered write. */
  last: writeMarkSchema,
  /** Bytes numbered but not yet known to be durable at the replica site. */
  unconfirmedBytes: bytesSchema,
  /** The part of the unconfirmed bytes that a fence holds back. */
  backlogBytes: bytesSchema,
  /** Regions that are marked. */
  markedRegions: countSchema,
  /** Bytes sent by short initialization since the process started. */
  resentBytes: bytesSchema,
  /** The disk that guests write, and whether it may be used. */
  source: z.strictObject({
    id: sourceIdSchema,
    state: sourceStateSchema,
    /** Progress of rebuilding the disk from the replica, and the point used. */
    recovery: z.strictObject({ point: pointIdSchema, doneBytes: bytesSchema, totalBytes: bytesSchema }).optional(),
  }),
  /** How far the history at the replica site is known to be durable. */
  confirmed: confirmedSchema.optional(),
  /**
   * Why and since when only marks are kept, and how many regions must be compared before they are
   * sent.
   */
  initialization: z.strictObject({ sinceMs: timeMsSchema, reason: z.string(), doubtedRegions: countSchema }).optional(),
  /**
   * Set while the replica site accepts nothing more of the volume although there is something to
   * send.
   */
  stalled: z
    .strictObject({
      sinceMs: timeMsSchema,
      /** Bytes that waited there to be applied, by its last answer. */
      unappliedBytes: bytesSchema.exactOptional(),
    })
    .optional(),
  notice: z.strictObject({ attempt: ticketedAttemptSchema, to: endpointSchema }).optional(),
  fence: fenceSchema.optional(),
  /**
   * Parts of the source that can't be read, so can't be resent. The volume is in no recovery point
   * until they can.
   */
  unreadable: z
    .strictObject({ regions: countSchema, ranges: z.array(byteRangeSchema).max(UNREADABLE_RANGES_MAX) })
    .optional(),
  /** Sentences for an administrator, for example about a lost bitmap. */
  notes: z.array(z.string()),
});
export type SplitterVolume = z.infer<typeof splitterVolumeSchema>;

/** A volume of this host that is not served because its row or files are unusable. */
export const unusableVolumeSchema = z.strictObject({
  volume: volumeIdSchema,
  /** What is wrong with the file or row, what that means, and what to do. */
  reason: z.string(),
});
export type UnusableVolume = z.infer<typeof unusableVolumeSchema>;

export const learnedSchema = z.strictObject({
  volume: volumeIdSchema,
  verdict: verdictSchema,
  atMs: timeMsSchema,
  /** Bytes that the fence held back at that time. */
  backlogBytes: bytesSchema,
});
export type Learned = z.infer<typeof learnedSchema>;

const volumesSchema = z.array(volumeIdSchema).min(1).max(VOLUMES_PER_MOVE_MAX);

export const splitterApi = {
  health: healthOperation,
  audit: auditOperation,
  ...verifySourceApi,
  ...splitterLifecycleApi,
  inventory: operation({
    method: 'GET',
    path: '/v1/volumes',
    roles: ['read'],
    summary: 'The virtual volumes of this host.',
    input: z.strictObject({ volume: volumeIdSchema.optional() }),
    output: z.strictObject({
      splitter: splitterIdSchema,
      volumes: z.array(splitterVolumeSchema),
      /** Volumes that are not served. A request for one by name is refused (VOLUME_UNUSABLE). */
      unusable: z.array(unusableVolumeSchema).optional(),
      /** The host's wall clock now, and any doubt about it. */
      clock: clockViewSchema.optional(),
    }),
  }),
  notify: operation({
    method: 'POST',
    path: '/v1/attempts/notify',
    roles: ['move'],
    summary:
      'The volumes leave one group and are to join another. Writes still go to the old one. The new appliance is reached before the answer.',
    input: z.strictObject({
      attempt: ticketedAttemptSchema,
      volumes: z.array(attemptVolumeSchema).min(1).max(VOLUMES_PER_MOVE_MAX),
      from: endpointSchema,
      to: endpointSchema,
      /** Where the splitter can ask for the verdict besides the two appliances. */
      resolvers: z.array(z.url()).min(1).max(16),
    }),
    output: z.strictObject({ volumes: z.array(splitterVolumeSchema) }),
  }),
  fence: operation({
    method: 'POST',
    path: '/v1/attempts/fence',
    roles: ['move'],
    summary:
      'End the old group’s ownership here: the cut. Later writes go to the backlog. With a hold, their acknowledgement waits for confirm.',
    input: z.strictObject({
      attempt: ticketedAttemptSchema,
      volumes: volumesSchema,
      leaseMs: durationMsSchema,
      holdMs: durationMsSchema.max(HOLD_MS_MAX).default(0),
    }),
    output: z.strictObject({
      cuts: z.array(cutSchema),
      /** Other members of the old group on this host, at the same instant. */
      others: z.array(cutSchema),
      life: lifeIdSchema,
      /** Wall time of the cut, and why it may be wrong. */
      atMs: timeMsSchema,
      doubt: clockDoubtSchema.optional(),
    }),
  }),
  confirm: operation({
    method: 'POST',
    path: '/v1/attempts/confirm',
    roles: ['move'],
    summary: 'Whether acknowledgements were withheld without a gap since the fence; releases them.',
    input: z.strictObject({ attempt: ticketedAttemptSchema, life: heldBySchema }),
    output: z.strictObject({ held: z.boolean() }),
  }),
  renew: operation({
    method: 'POST',
    path: '/v1/attempts/renew',
    roles: ['move'],
    routine: true,
    summary: 'Renew the lease of the fence. Refused (FENCE_LAPSED) once it ran out.',
    input: z.strictObject({ attempt: ticketedAttemptSchema, leaseMs: durationMsSchema }),
    output: z.strictObject({ leaseMs: durationMsSchema }),
  }),
  learn: operation({
    method: 'POST',
    path: '/v1/attempts/learn',
    roles: ['move'],
    summary:
      'The verdict. COMMITTED: route to the new group at epoch + 1; ABORTED: as before. Then the backlog in order, then live writes.',
    input: z.strictObject({
      attempt: ticketedAttemptSchema,
      verdict: verdictSchema,
      volumes: z.array(attemptVolumeSchema).min(1).max(VOLUMES_PER_MOVE_MAX),
      to: endpointSchema,
    }),
    output: z.strictObject({
      volumes: z.array(splitterVolumeSchema),
      /** What was learned and when. A repeated call gets the first answer. */
      learned: z.array(learnedSchema),
    }),
  }),
  cut: operation({
    method: 'POST',
    path: '/v1/cuts',
    roles: ['replicate'],
    routine: true,
    summary: 'For an ordinary recovery point: the position of every member of the group on this host, at one instant.',
    input: z.strictObject({
      round: z.string().max(100),
      group: groupIdSchema,
      holdMs: durationMsSchema.max(HOLD_MS_MAX).default(0),
    }),
    output: z.strictObject({
      cuts: z.array(memberCutSchema).max(GROUP_MEMBERS_MAX),
      leftOut: z.array(leftOutSchema).max(GROUP_MEMBERS_MAX),
      life: lifeIdSchema,
      /** Wall time of the cut, and why it may be wrong. */
      atMs: timeMsSchema,
      doubt: clockDoubtSchema.optional(),
    }),
  }),
  confirmCut: operation({
    method: 'POST',
    path: '/v1/cuts/confirm',
    roles: ['replicate'],
    routine: true,
    summary: 'Whether acknowledgements were withheld without a gap since the cut; releases them.',
    input: z.strictObject({ round: z.string().max(100), life: heldBySchema }),
    output: z.strictObject({ held: z.boolean() }),
  }),
  resync: operation({
    method: 'POST',
    path: '/v1/volumes/resync',
    roles: ['operate'],
    summary:
      'Make the replica equal to the source again. Without ranges the whole volume is compared by digests and differences are sent; given ranges are sent without comparing. The marks are stored before the answer. Refused (VOLUME_BUSY) behind a fence, (SOURCE_UNPROVEN, SOURCE_MISSING, FOREIGN_SOURCE) while the disk may not be used. May be repeated.',
    input: resyncInputSchema,
    output: splitterVolumeSchema,
  }),
  decideSource: operation({
    method: 'POST',
    path: '/v1/volumes/source',
    roles: ['admin'],
    summary:
      'A person’s decision for a volume whose source is missing or foreign: an empty disk takes its place, the disk counts as it is, or the disk is rebuilt from the replica (answered at once; inventory shows the progress). Then the volume is compared. For an unproven source the first two confirm that the disk is right; a replica of another disk still refuses it. Refused (SOURCE_PRESENT) when nothing is to be decided.',
    input: decideSourceInputSchema,
    output: splitterVolumeSchema,
  }),
} as const;
