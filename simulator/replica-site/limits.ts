// What a replica site's environment may set of its limits.
import { z } from 'zod';
import { parseOrRefuse } from '../../contracts/errors.js';
import { UNAPPLIED_BYTES_MAX } from './intake/limits.js';

const MIB = 1024 * 1024;
/** Keeps the number of bytes one that can be counted exactly. */
const MIB_MAX = 1024 * 1024;

const environmentSchema = z.object({
  VOLUME_MOVER_UNAPPLIED_MIB: z.coerce
    .number({ error: 'a number of MiB' })
    .min(1)
    .max(MIB_MAX)
    .default(UNAPPLIED_BYTES_MAX / MIB),
});

/** Limits set in the environment, the defaults otherwise. @throws MoverError INVALID_REQUEST naming the variable at fault. */
export function readReplicaSiteLimits(environment: Readonly<Record<string, string | undefined>> = process.env): {
  readonly unappliedBytesMax: number;
} {
  const read = parseOrRefuse(environmentSchema, environment, 'environment');
  return { unappliedBytesMax: read.VOLUME_MOVER_UNAPPLIED_MIB * MIB };
}
