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
});

/**
 * Reads the limits from the environment; the others have their defaults.
 * @throws MoverError INVALID_REQUEST naming the variable at fault.
 */
export function readReplicaSiteLimits(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ReplicaSiteLimits {
  const read = parseOrRefuse(environmentSchema, environment, 'environment');
  const { VOLUME_MOVER_UNAPPLIED_MIB: unappliedMiB, VOLUME_MOVER_RETENTION_EVERY_S: seconds } = read;
  return {
    unappliedBytesMax: unappliedMiB * MIB,
    ...(seconds === undefined ? {} : { retentionEveryMs: seconds * SECOND_MS }),
  };
}
