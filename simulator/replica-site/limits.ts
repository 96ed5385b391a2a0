// Limits of a replica site that its environment may set.
import { z } from 'zod';
import { parseOrRefuse } from '../../contracts/errors.js';
import { UNAPPLIED_BYTES_MAX } from './intake/limits.js';
import type { ReplicaSiteLimits } from './replica-site.js';

const MIB = 1024 * 1024;
/** Keeps the number of bytes a safe integer. */
const MIB_MAX = 1024 * 1024;
const SECOND_MS = 1_000;
/** A round reads every point: shorter intervals would cost more than they free. */
const RETENTION_S_MIN = 1;
/** A group over its limit must not wait longer. */
const RETENTION_S_MAX = 3_600;
const RULE = `whole seconds, ${RETENTION_S_MIN} to ${RETENTION_S_MAX}`;
/** A mover that waits for a worker's restart must still learn how its attempt ended. */
const VERDICT_KEPT_S_MIN = 1;
/** Each verdict that is kept takes 1 KiB of memory. */
const VERDICT_KEPT_S_MAX = 366 * 24 * 3_600;
const VERDICT_RULE = `whole seconds, ${VERDICT_KEPT_S_MIN} to ${VERDICT_KEPT_S_MAX}`;

const environmentSchema = z.object({
  VOLUME_MOVER_UNAPPLIED_MIB: z.coerce
    .number({ error: 'a number of MiB' })
    .min(1)
    .max(MIB_MAX)
    .default(UNAPPLIED_BYTES_MAX / MIB),
  VOLUME_MOVER_RETENTION_EVERY_S: z.coerce
    .number(RULE)
    .int(RULE)
    .min(RETENTION_S_MIN, RULE)
    .max(RETENTION_S_MAX, RULE)
    .optional(),
  VOLUME_MOVER_VERDICT_KEPT_S: z.coerce
    .number(VERDICT_RULE)
    .int(VERDICT_RULE)
    .min(VERDICT_KEPT_S_MIN, VERDICT_RULE)
    .max(VERDICT_KEPT_S_MAX, VERDICT_RULE)
    .optional(),
});

/**
 * Reads the limits from the environment; the others have their defaults.
 * @throws MoverError INVALID_REQUEST naming the variable at fault.
 */
export function readReplicaSiteLimits(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ReplicaSiteLimits {
  const read = parseOrRefuse(environmentSchema, environment, 'environment');
  const { VOLUME_MOVER_UNAPPLIED_MIB: unappliedMiB } = read;
  const msOf = (seconds: number | undefined): number | undefined =>
    seconds === undefined ? undefined : seconds * SECOND_MS;
  return {
    unappliedBytesMax: unappliedMiB * MIB,
    retentionEveryMs: msOf(read.VOLUME_MOVER_RETENTION_EVERY_S),
    verdictKeptMs: msOf(read.VOLUME_MOVER_VERDICT_KEPT_S),
  };
}
