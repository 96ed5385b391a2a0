// What every process reports about itself at /healthz.
import { z } from 'zod';
import { clockViewSchema } from './clock.js';
import { operation } from './route.js';
import { timeMsSchema } from './numbers.js';

export const healthSchema = z.strictObject({
  status: z.enum(['ok', 'degraded']),
  role: z.enum(['splitter', 'appliance', 'replica-site', 'worker']),
  id: z.string(),
  startedAtMs: timeMsSchema,
  /** The process's wall clock now, and any doubt about it. */
  clock: clockViewSchema.optional(),
  /** Sentences about what is degraded; empty when the process is ok. */
  notes: z.array(z.string()),
});
export type Health = z.infer<typeof healthSchema>;

/** The health operation. Every process has it, and it needs no token. */
export const healthOperation = operation({
  method: 'GET',
  path: '/healthz',
  roles: [],
  summary: 'Whether the process serves, and what is degraded.',
  input: z.strictObject({}),
  output: healthSchema,
});
