// The names of things that cross a boundary. Branded, so that a group can't be passed where a
// volume is meant.
import { z } from 'zod';

/**
 * Longest id of a volume, group, splitter or appliance: they become file and NBD export names
 * (export names: 255 bytes with the point).
 */
export const ID_LENGTH_MAX = 64;
/**
 * Longest move id: a Temporal workflow id (1,000 at most there) would not be readable in a path or
 * a log line beyond this.
 */
export const MOVE_ID_LENGTH_MAX = 300;

const name = z
  .string()
  .max(ID_LENGTH_MAX, `at most ${ID_LENGTH_MAX} characters`)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'letters, digits, ".", "_" and "-", starting with a letter or digit');

export const volumeIdSchema = name.brand<'VolumeId'>();
export const groupIdSchema = name.brand<'GroupId'>();
export const splitterIdSchema = name.brand<'SplitterId'>();
export const applianceIdSchema = name.brand<'ApplianceId'>();
export const pointIdSchema = name.brand<'PointId'>();

/**
 * A move: the workflow id and the first run's id, so that Reset or a retry is the same move and a
 * reused workflow id is a new one.
 */
export const moveIdSchema = z
  .string()
  .min(1)
  .max(MOVE_ID_LENGTH_MAX)
  .regex(/^[\x21-\x7e]+$/, 'printable ASCII without spaces')
  .brand<'MoveId'>();

export type VolumeId = z.infer<typeof volumeIdSchema>;
export type GroupId = z.infer<typeof groupIdSchema>;
export type SplitterId = z.infer<typeof splitterIdSchema>;
export type ApplianceId = z.infer<typeof applianceIdSchema>;
export type PointId = z.infer<typeof pointIdSchema>;
export type MoveId = z.infer<typeof moveIdSchema>;
