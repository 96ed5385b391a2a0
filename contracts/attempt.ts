// An attempt is one try of a move. Its record at the replica site is the single source of truth:
// OPEN → COMMITTED or ABORTED, decided once.
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

/** Volumes that may leave at one cut; enough for all disks of a VM. */
export const VOLUMES_PER_MOVE_MAX = 64;
/** Attempts of one move. The limit ends a move in an estate that voids every cut. */
export const ATTEMPTS_PER_MOVE_MAX = 1_000;

export const attemptRefSchema = z.strictObject({
  move: moveIdSchema,
  n: z.number().int().min(1).max(ATTEMPTS_PER_MOVE_MAX),
});
export type AttemptRef = z.infer<typeof attemptRefSchema>;

/** An attempt as the splitters know it. The ticket orders it against every other attempt. */
export const ticketedAttemptSchema = attemptRefSchema.extend({ ticket: ticketSchema });
export type TicketedAttempt = z.infer<typeof ticketedAttemptSchema>;

/**
 * Whether both are one attempt. A replica site whose folder was put back may give a ticket away
 * again, so a ticket alone does not tell.
 */
export function isSameAttempt(a: TicketedAttempt | undefined, b: TicketedAttempt | undefined): boolean {
  return a !== undefined && b !== undefined && a.ticket === b.ticket && a.n === b.n && a.move === b.move;
}

/** Names an attempt with its ticket: `move#n/ticket`. */
export function ticketedName(attempt: TicketedAttempt): string {
  return `${attemptName(attempt)}/${attempt.ticket}`;
}

export const verdictSchema = z.enum(['COMMITTED', 'ABORTED']);
export type Verdict = z.infer<typeof verdictSchema>;

/** A place in a volume's write order, in the splitter's own numbering. */
export const writeMarkSchema = z.strictObject({ session: sessionSchema, n: writeNumberSchema });
export type WriteMark = z.infer<typeof writeMarkSchema>;

/** Where the old group's ownership of a volume ends. */
export const cutSchema = writeMarkSchema.extend({ volume: volumeIdSchema });
export type Cut = z.infer<typeof cutSchema>;

/**
 * A cut of an ordinary point: whose fence it lies behind, and up to which ticket attempts are over
 * at the splitter.
 */
export const memberCutSchema = cutSchema.extend({
  fencedBy: attemptRefSchema.optional(),
  over: ticketSchema.optional(),
});
export type MemberCut = z.infer<typeof memberCutSchema>;

/**
 * A group, the appliance that serves it, and the control URL where splitters reach that appliance.
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
 * An instant by the monotonic clock of one life of the replica site. It has no meaning in another
 * life.
 */
export const instantSchema = z.strictObject({ life: countSchema, atMs: durationMsSchema });
export type Instant = z.infer<typeof instantSchema>;

/**
 * A duration that runs by the replica site's monotonic clock. A later life runs it again from its
 * start, for `ms`.
 */
export const termSchema = z.strictObject({
  /** The life of the replica site that granted it. */
  life: countSchema,
  /** Its end by that life's monotonic clock. */
  untilMs: durationMsSchema,
  /** The length last granted. Of a deadline: what was left of it at the last renewal. */
  ms: durationMsSchema,
});
export type Term = z.infer<typeof termSchema>;

/** How the way back of a move ended. */
export const wayBackEndSchema = z.strictObject({
  /** Wall time. */
  atMs: timeMsSchema,
  /**
   * `reversed`: the volumes moved back. `finalized`: a person ended it. `over`: its time ran out.
   * `lost`: a volume is no longer where the move put it, though no move took it from there.
   */
  why: z.enum(['reversed', 'finalized', 'over', 'lost']),
  /** The move that took the volumes back. */
  move: moveIdSchema.optional(),
  /** Who ended it by hand, and why. */
  operator: z.string().optional(),
  reason: z.string().optional(),
});

/**
 * The way back of a committed move that was started as reversible. While it is open, the old group
 * keeps a place for each volume, and the points that it had of them at the commit.
 */
export const wayBackSchema = z.strictObject({
  /** When it was opened (the commit), and until when it is open, by the clock of ages. */
  sinceMs: timeMsSchema,
  untilMs: timeMsSchema,
  /** Absent while it is open. */
  ended: wayBackEndSchema.optional(),
});
export type WayBack = z.infer<typeof wayBackSchema>;

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
       * Time of the old group's newest point at the opening, by the clock of points. The snapshot's
       * time is later than this and not later than the cut.
       */
      clockMs: timeMsSchema.default(0),
      /** Place of that newest point in the timeline; absent in records of earlier versions. */
      pointOrder: countSchema.optional(),
      /**
       * Anyone may abort the attempt once the lease has run out. The running move renews it, but
       * never beyond the deadline.
       */
      lease: termSchema.optional(),
      deadline: termSchema.optional(),
      /** How long after the commit the move can be reversed; absent if that was not asked for. */
      reversibleForMs: durationMsSchema.optional(),
      /** Written by earlier versions from a wall clock; ignored now. */
      leaseExpiresAtMs: timeMsSchema.optional(),
      deadlineMs: timeMsSchema.optional(),
    })
    .optional(),
  /** Empty until sealed. */
  seals: z.array(sealSchema),
  /**
   * The snapshot at the cut: a recovery point of the old group, pinned while the attempt is open.
   * Its bookmark takes effect at the commit.
   */
  left: z
    .strictObject({
      point: pointIdSchema,
      atMs: timeMsSchema,
      name: z.string(),
      bookmarked: z.boolean(),
      /** Applications of the volumes were frozen at the cut. */
      applicationConsistent: z.literal(true).optional(),
    })
    .optional(),
  /** The first point of the new group that contains every moved volume. */
  joined: z.strictObject({ point: pointIdSchema, name: z.string() }).optional(),
  /** Set at the commit of a reversible move. */
  wayBack: wayBackSchema.optional(),
  decidedAtMs: timeMsSchema.optional(),
  /** The instant of `decidedAtMs` on the monotonic clock, for durations. */
  decided: instantSchema.optional(),
  /** Why it was aborted, as a sentence. */
  reason: z.string().optional(),
});
export type AttemptRecord = z.infer<typeof attemptRecordSchema>;

/** @example "move-vm-1@0198…#1" */
export function attemptName(attempt: AttemptRef): string {
  return `${attempt.move}#${attempt.n}`;
}
