// Recovery points: consistent cuts of a group, each a vector of positions in its members' lineages.
import { z } from 'zod';
import { attemptRefSchema } from './attempt.js';
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
  /** Set while the volume is fenced by this attempt: struck on commit, kept on abort. */
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

export const bookmarkSchema = z.strictObject({
  name: z.string().min(1).max(BOOKMARK_NAME_LENGTH_MAX),
  /** Pending until the attempt's verdict; an aborted attempt leaves none. */
  pending: z.boolean(),
  keep: keepSchema.default('policy'),
  attempt: attemptRefSchema.optional(),
});
export type Bookmark = z.infer<typeof bookmarkSchema>;

/** What the replica site's clocks said when it closed a point. */
export const pointClockSchema = z.strictObject({
  /**
   * The life of the replica site's process (each start makes a number up), and milliseconds by that
   * life's monotonic clock.
   */
  life: countSchema,
  monotonicMs: durationMsSchema,
  wallMs: timeMsSchema,
  /** By the clock that ages are counted by: what the group's policy looks at. */
  ageMs: timeMsSchema,
  /** Why the point's `atMs` may be wrong; absent when nothing speaks against it. */
  doubt: clockDoubtSchema.optional(),
});

export const recoveryPointSchema = z.strictObject({
  id: pointIdSchema,
  group: groupIdSchema,
  kind: pointKindSchema,
  /**
   * When the cut was taken, by the splitters' wall clocks: a label, which a wrong clock makes
   * wrong. The order of points is another matter.
   */
  atMs: timeMsSchema,
  /**
   * Its place in the timeline: the site's count of points at its closing; of a snapshot ("left"),
   * whose cut is older, the place of the point that it follows. Absent in points of earlier
   * versions, which are in the order of their times.
   */
  order: countSchema.optional(),
  /** Absent in points of earlier versions. */
  clock: pointClockSchema.optional(),
  members: z.array(pointMemberSchema),
  leftOut: z.array(leftOutSchema),
  bookmark: bookmarkSchema.optional(),
});
export type RecoveryPoint = z.infer<typeof recoveryPointSchema>;

/** A member of a point that can't be opened any more, or not wholly. */
export const damagedMemberSchema = z.strictObject({
  point: pointIdSchema,
  volume: volumeIdSchema,
  /** A sentence: what is damaged, and what that means for the point. */
  message: z.string(),
});
export type DamagedMember = z.infer<typeof damagedMemberSchema>;

/** A point that was looked for by a time. */
export const foundPointSchema = recoveryPointSchema.extend({
  /**
   * A sentence: which clock was in doubt around that time, so that another point may be the one
   * that is meant.
   */
  doubt: z.string().optional(),
});
export type FoundPoint = z.infer<typeof foundPointSchema>;

/** Sorts points as the timeline was written, whatever their times say. */
export function inTimelineOrder(
  a: Pick<RecoveryPoint, 'id' | 'order' | 'kind' | 'atMs'>,
  b: Pick<RecoveryPoint, 'id' | 'order' | 'kind' | 'atMs'>,
): number {
  // Those of earlier versions come first: they are older.
  const [first, second] = [a.order ?? -1, b.order ?? -1];
  const legacy = first === -1 && second === -1;
  const snapshots = Number(a.kind === 'left') - Number(b.kind === 'left');
  return (legacy ? a.atMs - b.atMs : first - second || snapshots) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/**
 * A span of a volume's lineage of which only the end state can be recovered, because marks had to
 * be used.
 */
export const holeSchema = z.strictObject({
  volume: volumeIdSchema,
  /** First position inside: the short initialization's start. */
  fromPosition: positionSchema,
  /** Position of its end; absent while it goes on. */
  toPosition: positionSchema.optional(),
  /** When the first write was left out of the stream, by the splitter's clock. */
  sinceMs: timeMsSchema,
  untilMs: timeMsSchema.optional(),
  reason: z.string(),
});
export type Hole = z.infer<typeof holeSchema>;

/**
 * A span of a volume's life in one group: positions after `fromPosition`, up to and with
 * `toPosition`.
 */
export const ownershipSchema = z.strictObject({
  volume: volumeIdSchema,
  group: groupIdSchema,
  epoch: epochSchema,
  fromPosition: positionSchema,
  /**
   * When the cut was taken that made it the group's, by the clock of points; of its first group:
   * when it was first known.
   */
  fromMs: timeMsSchema,
  /** Absent while it is still in the group. */
  toPosition: positionSchema.optional(),
  toMs: timeMsSchema.optional(),
  /** The move that brought it here; absent for its first group. */
  move: moveIdSchema.optional(),
});
export type Ownership = z.infer<typeof ownershipSchema>;

/** The position of a volume in a point that contains it. */
export function heldOf({ members }: Pick<RecoveryPoint, 'members'>, volume: VolumeId): number {
  return members.find((member) => member.volume === volume)?.position ?? 0;
}

/**
 * Sorts points of any group that contain a volume, in the order of the volume's lineage: a snapshot
 * of the group that it left may have been placed after points of the group that it joined.
 */
export function inLineageOrder(volume: VolumeId): (a: RecoveryPoint, b: RecoveryPoint) => number {
  const known = new Map<RecoveryPoint, number>();
  // A group may have a thousand members: each point is looked through once.
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
