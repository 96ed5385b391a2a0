// Repairs that a person may order for a volume: send it again, decide which disk counts, or rebuild
// its history at the replica site.
import { z } from 'zod';
import { pointIdSchema, volumeIdSchema } from './ids.js';
import { lineageIdSchema } from './lineage.js';
import { bytesSchema, positionSchema } from './numbers.js';
import { operation } from './route.js';

/**
 * Ranges of one call: ten times what a verification's report lists, and still answered within a
 * call's time limit.
 */
export const RESYNC_RANGES_MAX = 1_000;

/** Who orders it and why. The hole's reason and the log keep both. */
const ordered = {
  operator: z.string().min(1).max(200).optional(),
  reason: z.string().min(1).max(1_000).optional(),
};

export const rangeSchema = z.strictObject({ offset: bytesSchema, length: bytesSchema.min(1) });
export type Range = z.infer<typeof rangeSchema>;

export const resyncInputSchema = z.strictObject({
  volume: volumeIdSchema,
  /**
   * Ranges to send whatever the replica has. Absent: the whole volume is compared by digests and
   * only differences are sent.
   */
  ranges: z.array(rangeSchema).min(1).max(RESYNC_RANGES_MAX).optional(),
  ...ordered,
});
export type ResyncInput = z.infer<typeof resyncInputSchema>;

/**
 * `accept`: the disk counts as it is. `accept-blank`: an empty disk takes its place. `recover`: the
 * disk is rebuilt from the replica.
 */
export const sourceDecisionSchema = z.enum(['accept-blank', 'accept', 'recover']);
export type SourceDecision = z.infer<typeof sourceDecisionSchema>;

export const decideSourceInputSchema = z.strictObject({
  volume: volumeIdSchema,
  decision: sourceDecisionSchema,
  /** The point to recover from. Default: the newest recovery point that contains the volume. */
  point: pointIdSchema.optional(),
  ...ordered,
});
export type DecideSourceInput = z.infer<typeof decideSourceInputSchema>;

export const rebuildInputSchema = z.strictObject({ volume: volumeIdSchema, ...ordered });
export type RebuildInput = z.infer<typeof rebuildInputSchema>;

export const rebuiltSchema = z.strictObject({
  volume: volumeIdSchema,
  /** The lineage that continues from here. */
  lineage: lineageIdSchema,
  /** Last position of the history that is kept. */
  position: positionSchema,
});
export type Rebuilt = z.infer<typeof rebuiltSchema>;

/** The replica's side. The replica site implements it, and every appliance passes it on. */
export const repairReplicaApi = {
  rebuild: operation({
    method: 'POST',
    path: '/v1/volumes/rebuild',
    roles: ['admin'],
    summary:
      'Make the journal of a volume usable again: what is sound is kept, what is not goes aside, and a new lineage begins. The splitter then compares the volume by itself. May be repeated.',
    input: rebuildInputSchema,
    output: rebuiltSchema,
  }),
} as const;
