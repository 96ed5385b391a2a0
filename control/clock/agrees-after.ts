// Reads from the environment how long a wall clock must agree with monotonic time to be believed.
import { z } from 'zod';
import { CLOCK_AGREES_AFTER_MS_MAX } from '../../contracts/clock.js';

const SECOND_MS = 1_000;
const MAX_S = CLOCK_AGREES_AFTER_MS_MAX / SECOND_MS;
const RULE = `whole seconds, 1 to ${MAX_S}`;

/** The text of VOLUME_MOVER_CLOCK_AGREES_S in seconds. @returns milliseconds */
export const clockAgreesSchema = z
  .string()
  .regex(/^\d+$/, RULE)
  .transform(Number)
  .pipe(z.number().int().min(1, RULE).max(MAX_S, RULE))
  .transform((seconds) => seconds * SECOND_MS);
