// What a person may order for a volume: have it sent again, say which disk counts, have its history
// at the replica site rebuilt.
import { z } from 'zod';
import { pointIdSchema, volumeIdSchema } from './ids.js';
import { lineageIdSchema } from './lineage.js';
import { bytesSchema, positionSchema } from './numbers.js';
import { operation } from './route.js';

/**
 * Ranges of one call: ten times what a verification's report lists, and still one answer within a
 * call's time.
 */
export const RESYNC_RANGES_MAX = 1_000;

/** Who orders, and why: kept in the hole's reason and in the log. */
const ordered = {
  operator: z.string().min(1).max(200).optional(),
  reason: z.string().min(1).max(1_000).optional(),
};

export const rangeSchema = z.strictObject({ offset: bytesSchema, length: bytesSchema.min(1) });
export type Range = z.infer<typeof rangeSchema>;

export const resyncInputSchema = z.strictObject({
  volume: volumeIdSchema,
  /**
   * Absent: the whole volume is compared by digests, and what differs is sent. Given: these bytes
   * are sent, whatever the replica has.
   */
  ranges: z.array(rangeSchema).min(1).max(RESYNC_RANGES_MAX).optional(),
  ...ordered,
});
export type ResyncInput = z.infer<typeof resyncInputSchema>;

/**
 * `accept`: the disk as it is counts. `accept-blank`: an empty disk takes its place. `recover`: the
 * disk is made anew from the replica.
 */
export const sourceDecisionSchema = z.enum(['accept-blank', 'accept', 'recover']);
export type SourceDecision = z.infer<typeof sourceDecisionSchema>;

export const decideSourceInputSchema = z.strictObject({
  volume: volumeIdSchema,
  decision: sourceDecisionSchema,
  /** To recover from; default: the newest recovery point that contains the volume. */
  point: pointIdSchema.optional(),
  ...ordered,
});
export type DecideSourceInput = z.infer<typeof decideSourceInputSchema>;

export const rebuildInputSchema = z.strictObject({ volume: volumeIdSchema, ...ordered });
export type RebuildInput = z.infer<typeof rebuildInputSchema>;

export const rebuiltSchema = z.strictObject({
  volume: volumeIdSchema,
  /** The history that goes on from here. */
  lineage: lineageIdSchema,
  /** How far the history is kept. */
  position: positionSchema,
});
export type Rebuilt = z.infer<typeof rebuiltSchema>;

/** The replica's side, at the replica site and passed on by every appliance. */
export const repairReplicaApi = {
  rebuild: operation({
    method: 'POST',
    path: '/v1/volumes/rebuild',
    summary:
      'Make the journal of a volume usable again: what is sound is kept, what is not goes aside, and a new lineage begins. The splitter then compares the volume by itself. May be repeated.',
    input: rebuildInputSchema,
    output: rebuiltSchema,
  }),
} as const;
