// What every process says of itself at /healthz.
import { z } from 'zod';
import { clockViewSchema } from './clock.js';
import { operation } from './route.js';
import { timeMsSchema } from './numbers.js';

export const healthSchema = z.strictObject({
  status: z.enum(['ok', 'degraded']),
  role: z.enum(['splitter', 'appliance', 'replica-site', 'worker']),
  id: z.string(),
  startedAtMs: timeMsSchema,
  /** The process's wall clock now, and why it may be wrong. */
  clock: clockViewSchema.optional(),
  /** Sentences about what is degraded; empty when ok. */
  notes: z.array(z.string()),
});
export type Health = z.infer<typeof healthSchema>;

/** The one operation that every process has and that needs no token. */
export const healthOperation = operation({
  method: 'GET',
  path: '/healthz',
  summary: 'Whether the process serves, and what is degraded.',
  input: z.strictObject({}),
  output: healthSchema,
});
