// Ids of things that cross a boundary. They are branded, so the compiler refuses a group where a
// volume is expected.
import { z } from 'zod';

/**
 * Longest id of a volume, group, splitter or appliance. Ids become file names and NBD export names
 * (export names: 255 bytes with the point).
 */
export const ID_LENGTH_MAX = 64;
/**
 * Longest move id. Temporal allows workflow ids of 1,000 characters, but a longer one is not
 * readable in a path or log line.
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
 * The id of a move: workflow id and first run's id. A Reset or retry keeps it; a reused workflow id
 * makes a new move.
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
