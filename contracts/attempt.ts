// An attempt is one try of a move. Its record at the replica site is the one point of truth: OPEN →
// COMMITTED or ABORTED, once.
import { z } from 'zod';
import {
  applianceIdSchema,
  groupIdSchema,
  moveIdSchema,
  pointIdSchema,
  splitterIdSchema,
  volumeIdSchema,
} from './ids.js';
import {
  countSchema,
  durationMsSchema,
  epochSchema,
  positionSchema,
  sessionSchema,
  ticketSchema,
  timeMsSchema,
  writeNumberSchema,
} from './numbers.js';

/** Volumes that may leave at one cut: a VM's disks. */
export const VOLUMES_PER_MOVE_MAX = 64;
/** Tries of one move, so that an estate that always voids the cut ends in an answer. */
export const ATTEMPTS_PER_MOVE_MAX = 1_000;

export const attemptRefSchema = z.strictObject({
  move: moveIdSchema,
  n: z.number().int().min(1).max(ATTEMPTS_PER_MOVE_MAX),
});
export type AttemptRef = z.infer<typeof attemptRefSchema>;

/**
 * An attempt as the splitters know it: with the ticket that orders it against every other attempt.
 */
export const ticketedAttemptSchema = attemptRefSchema.extend({ ticket: ticketSchema });
export type TicketedAttempt = z.infer<typeof ticketedAttemptSchema>;

export const verdictSchema = z.enum(['COMMITTED', 'ABORTED']);
export type Verdict = z.infer<typeof verdictSchema>;

/** A place in a volume's write order, in the splitter's own numbering. */
export const writeMarkSchema = z.strictObject({ session: sessionSchema, n: writeNumberSchema });
export type WriteMark = z.infer<typeof writeMarkSchema>;

/** Where the old group's ownership of a volume ends. */
export const cutSchema = writeMarkSchema.extend({ volume: volumeIdSchema });
export type Cut = z.infer<typeof cutSchema>;

/**
 * A group and the appliance that serves it, with that appliance's control URL (how a splitter
 * reaches it).
 */
export const endpointSchema = z.strictObject({ group: groupIdSchema, appliance: applianceIdSchema, url: z.url() });
export type Endpoint = z.infer<typeof endpointSchema>;

export const attemptVolumeSchema = z.strictObject({
  volume: volumeIdSchema,
  splitter: splitterIdSchema,
  /** The epoch the attempt is bound to; a commit makes it `epoch + 1`. */
  epoch: epochSchema,
});
export type AttemptVolume = z.infer<typeof attemptVolumeSchema>;

export const sealSchema = cutSchema.extend({ position: positionSchema });
export type Seal = z.infer<typeof sealSchema>;

/**
 * An instant by the monotonic clock of one life of the replica site; means nothing in another one.
 */
export const instantSchema = z.strictObject({ life: countSchema, atMs: durationMsSchema });
export type Instant = z.infer<typeof instantSchema>;

/**
 * A length of time that runs by the replica site's monotonic clock; anew, in full, from the start
 * of a later life.
 */
export const termSchema = z.strictObject({
  /** The life of the replica site it was granted in. */
  life: countSchema,
  /** Its end by that life's monotonic clock. */
  untilMs: durationMsSchema,
  /** As last granted. */
  ms: durationMsSchema,
});
export type Term = z.infer<typeof termSchema>;

export const attemptStateSchema = z.enum(['OPEN', 'COMMITTED', 'ABORTED']);

/**
 * The record of an attempt at the replica site. A tombstone (resolved before it was opened) has no
 * contents.
 */
export const attemptRecordSchema = z.strictObject({
  attempt: attemptRefSchema,
  state: attemptStateSchema,
  contents: z
    .strictObject({
      ticket: ticketSchema,
      volumes: z.array(attemptVolumeSchema).min(1).max(VOLUMES_PER_MOVE_MAX),
      from: groupIdSchema,
      to: groupIdSchema,
      openedAtMs: timeMsSchema,
      /**
       * The old group's newest point then, by the clock of points: its snapshot is later than that,
       * and no later than its cut.
       */
      clockMs: timeMsSchema.default(0),
      /**
       * The old group's newest point then, by its place in the timeline; absent in records of
       * earlier versions.
       */
      pointOrder: countSchema.optional(),
      /**
       * When it has run out anyone may abort the attempt; renewed by the running move, never beyond
       * the deadline.
       */
      lease: termSchema.optional(),
      deadline: termSchema.optional(),
      /** Of earlier versions, by a wall clock: not looked at any more. */
      leaseExpiresAtMs: timeMsSchema.optional(),
      deadlineMs: timeMsSchema.optional(),
    })
    .optional(),
  /** Empty until sealed. */
  seals: z.array(sealSchema),
  /**
   * The snapshot at the cut: a recovery point of the old group, pinned while the attempt is open;
   * its bookmark is in force once committed.
   */
  left: z
    .strictObject({ point: pointIdSchema, atMs: timeMsSchema, name: z.string(), bookmarked: z.boolean() })
    .optional(),
  /** The first point of the new group that contains every moved volume. */
  joined: z.strictObject({ point: pointIdSchema, name: z.string() }).optional(),
  decidedAtMs: timeMsSchema.optional(),
  /** The same instant, for durations. */
  decided: instantSchema.optional(),
  /** Why it was aborted, in words. */
  reason: z.string().optional(),
});
export type AttemptRecord = z.infer<typeof attemptRecordSchema>;

/** @example "move-vm-1@0198…#1" */
export function attemptName(attempt: AttemptRef): string {
  return `${attempt.move}#${attempt.n}`;
}
