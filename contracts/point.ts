// Recovery points: consistent cuts of a group. Each is a vector of positions in its members'
// lineages.
import { z } from 'zod';
import { attemptRefSchema, wayBackSchema } from './attempt.js';
import { clockDoubtSchema } from './clock.js';
import { groupIdSchema, moveIdSchema, pointIdSchema, volumeIdSchema, type VolumeId } from './ids.js';
import { countSchema, durationMsSchema, epochSchema, positionSchema, timeMsSchema } from './numbers.js';
import { keepSchema } from './retention.js';

export const BOOKMARK_NAME_LENGTH_MAX = 200;

export const pointKindSchema = z.enum(['periodic', 'demand', 'left', 'joined']);
export type PointKind = z.infer<typeof pointKindSchema>;

export const pointMemberSchema = z.strictObject({
  volume: volumeIdSchema,
  position: positionSchema,
  epoch: epochSchema,
  /** Set while this attempt fences the volume. The entry is struck on commit and kept on abort. */
  provisional: attemptRefSchema.optional(),
});
export type PointMember = z.infer<typeof pointMemberSchema>;

/** Why a member of the group is not in a point. A torn member is never in one. */
export const leftOutReasonSchema = z.enum([
  'initializing',
  'marks-only',
  'unreachable',
  'behind',
  'not-in-cut',
  'moved',
  'inconsistent',
  'lost',
]);
export const leftOutSchema = z.strictObject({ volume: volumeIdSchema, reason: leftOutReasonSchema });
export type LeftOut = z.infer<typeof leftOutSchema>;

/** Nobody deletes the point before then, or shortens how long it is kept; nor does any policy. */
export const lockSchema = z.strictObject({
  /** Its end, by the clock of ages. */
  untilMs: timeMsSchema,
  /** Who locked it last, and why. */
  operator: z.string(),
  reason: z.string(),
});

export const bookmarkSchema = z.strictObject({
  name: z.string().min(1).max(BOOKMARK_NAME_LENGTH_MAX),
  /** True until the attempt's verdict. An aborted attempt leaves no bookmark. */
  pending: z.boolean(),
  keep: keepSchema.default('policy'),
  /** It is kept at least as long as it is locked. */
  lock: lockSchema.optional(),
  attempt: attemptRefSchema.optional(),
  /**
   * Set on bookmarks of a move whose hooks held the applications of its volumes frozen: the point
   * has these volumes as they were then. It says nothing about other members.
   */
  applicationConsistent: z.literal(true).optional(),
});
export type Bookmark = z.infer<typeof bookmarkSchema>;

/** The replica site's clocks when it closed a point. */
export const pointClockSchema = z.strictObject({
  /**
   * The life of the replica site's process (each start picks a new number) and milliseconds on that
   * life's monotonic clock.
   */
  life: countSchema,
  monotonicMs: durationMsSchema,
  wallMs: timeMsSchema,
  /** Time on the clock that counts ages. The group's policy uses it. */
  ageMs: timeMsSchema,
  /** Why the point's `atMs` may be wrong; absent when there is no doubt. */
  doubt: clockDoubtSchema.optional(),
});

export const recoveryPointSchema = z.strictObject({
  id: pointIdSchema,
  group: groupIdSchema,
  kind: pointKindSchema,
  /**
   * When the cut was taken, by the splitters' wall clocks. It is a label and wrong when the clock
   * is; `order` gives the sequence.
   */
  atMs: timeMsSchema,
  /**
   * Its place in the timeline: the site's count of points when it closed. A snapshot ("left") has
   * an older cut, so it takes the place of the point it follows. Absent in points of earlier
   * versions, which are ordered by their times.
   */
  order: countSchema.optional(),
  /** Absent in points of earlier versions. */
  clock: pointClockSchema.optional(),
  members: z.array(pointMemberSchema),
  leftOut: z.array(leftOutSchema),
  bookmark: bookmarkSchema.optional(),
});
export type RecoveryPoint = z.infer<typeof recoveryPointSchema>;

/** A member of a point that can't be opened any more, or only in part. */
export const damagedMemberSchema = z.strictObject({
  point: pointIdSchema,
  volume: volumeIdSchema,
  /** What is damaged and what that means for the point, as a sentence. */
  message: z.string(),
});
export type DamagedMember = z.infer<typeof damagedMemberSchema>;

/** A point that was found by a time. */
export const foundPointSchema = recoveryPointSchema.extend({
  /** A sentence: which clock was in doubt around that time, so that another point may be meant. */
  doubt: z.string().optional(),
});
export type FoundPoint = z.infer<typeof foundPointSchema>;

/** Compares points by their order in the timeline, whatever their times say. */
export function inTimelineOrder(
  a: Pick<RecoveryPoint, 'id' | 'order' | 'kind' | 'atMs'>,
  b: Pick<RecoveryPoint, 'id' | 'order' | 'kind' | 'atMs'>,
): number {
  // Points of earlier versions have no order. They are older, so they come first.
  const [first, second] = [a.order ?? -1, b.order ?? -1];
  const legacy = first === -1 && second === -1;
  const snapshots = Number(a.kind === 'left') - Number(b.kind === 'left');
  const places = legacy ? 0 : first - second || snapshots;
  // Snapshots of moves that overlap are sealed in any order: their cuts' times decide.
  return places || a.atMs - b.atMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/**
 * A span of a volume's lineage of which only the end state can be recovered, because marks replaced
 * single writes.
 */
export const holeSchema = z.strictObject({
  volume: volumeIdSchema,
  /** First position inside: the start of the short initialization. */
  fromPosition: positionSchema,
  /** Position of its end; absent while it lasts. */
  toPosition: positionSchema.optional(),
  /** When the first write was left out of the stream, by the splitter's clock. */
  sinceMs: timeMsSchema,
  untilMs: timeMsSchema.optional(),
  reason: z.string(),
});
export type Hole = z.infer<typeof holeSchema>;

/**
 * A span of a volume's life in one group: positions after `fromPosition`, up to and including
 * `toPosition`.
 */
export const ownershipSchema = z.strictObject({
  volume: volumeIdSchema,
  group: groupIdSchema,
  epoch: epochSchema,
  fromPosition: positionSchema,
  /**
   * Time of the cut that gave the volume to the group, by the clock of points. For its first group:
   * when the volume was first known.
   */
  fromMs: timeMsSchema,
  /** Absent while the volume is in the group. */
  toPosition: positionSchema.optional(),
  toMs: timeMsSchema.optional(),
  /** The move that brought the volume here; absent for its first group. */
  move: moveIdSchema.optional(),
  /** The way back of that move, open or ended; absent if it had none, or is forgotten. */
  wayBack: wayBackSchema.optional(),
});
export type Ownership = z.infer<typeof ownershipSchema>;

/** The position of a volume in a point; 0 if the point does not contain it. */
export function heldOf({ members }: Pick<RecoveryPoint, 'members'>, volume: VolumeId): number {
  return members.find((member) => member.volume === volume)?.position ?? 0;
}

/**
 * Compares points of any groups that contain a volume by the order of the volume's lineage. The
 * timeline's order is not enough: a snapshot of the old group may be placed after points of the new
 * group.
 */
export function inLineageOrder(volume: VolumeId): (a: RecoveryPoint, b: RecoveryPoint) => number {
  const known = new Map<RecoveryPoint, number>();
  // A group may have a thousand members, so each point is searched only once.
  const held = (point: RecoveryPoint): number => {
    const position = known.get(point) ?? heldOf(point, volume);
    known.set(point, position);
    return position;
  };
  return (a, b) => {
    const isOld = a.order === undefined || b.order === undefined;
    return (isOld ? 0 : held(a) - held(b)) || inTimelineOrder(a, b);
  };
}
