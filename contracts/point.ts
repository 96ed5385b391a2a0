// Recovery points: consistent cuts of a group, each a vector of positions in its members' lineages.
import { z } from 'zod';
import { attemptRefSchema } from './attempt.js';
import { groupIdSchema, moveIdSchema, pointIdSchema, volumeIdSchema } from './ids.js';
import { epochSchema, positionSchema, timeMsSchema } from './numbers.js';
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

export const recoveryPointSchema = z.strictObject({
  id: pointIdSchema,
  group: groupIdSchema,
  kind: pointKindSchema,
  /** The point's own clock: when the cut was taken at the splitters. Grows from point to point of one group. */
  atMs: timeMsSchema,
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

/** A span of a volume's lineage of which only the end state can be recovered, because marks had to be used. */
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

/** A span of a volume's life in one group: positions after `fromPosition`, up to and with `toPosition`. */
export const ownershipSchema = z.strictObject({
  volume: volumeIdSchema,
  group: groupIdSchema,
  epoch: epochSchema,
  fromPosition: positionSchema,
  /** When the cut was taken that made it the group's, by the clock of points; of its first group: when it was first known. */
  fromMs: timeMsSchema,
  /** Absent while it is still in the group. */
  toPosition: positionSchema.optional(),
  toMs: timeMsSchema.optional(),
  /** The move that brought it here; absent for its first group. */
  move: moveIdSchema.optional(),
});
export type Ownership = z.infer<typeof ownershipSchema>;
