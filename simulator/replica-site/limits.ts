// What a replica site is told of its own upkeep, by its environment.
import { z } from 'zod';
import { parseOrRefuse } from '../../contracts/errors.js';
import type { ReplicaSiteLimits } from './replica-site.js';

const SECOND_MS = 1_000;
/** A round looks at every point: more often would cost more than it frees. */
const RETENTION_S_MIN = 1;
/** A group over its limit must not wait for longer. */
const RETENTION_S_MAX = 3_600;
const RULE = `whole seconds, ${RETENTION_S_MIN} to ${RETENTION_S_MAX}`;

const environmentSchema = z.object({
  VOLUME_MOVER_RETENTION_EVERY_S: z.coerce
    .number(RULE)
    .int(RULE)
    .min(RETENTION_S_MIN, RULE)
    .max(RETENTION_S_MAX, RULE)
    .optional(),
});

/** Limits set in the environment, the defaults otherwise. @throws MoverError INVALID_REQUEST naming the variable at fault. */
export function readReplicaSiteLimits(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ReplicaSiteLimits {
  const { VOLUME_MOVER_RETENTION_EVERY_S: seconds } = parseOrRefuse(environmentSchema, environment, 'environment');
  return seconds === undefined ? {} : { retentionEveryMs: seconds * SECOND_MS };
}
