// What every process says of itself: that it lives, whether it can serve, and what is wrong. None
// of it needs a token: the probes of a container platform have none.
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

/** The health operation, for people and monitoring. Every process has it. */
export const healthOperation = operation({
  method: 'GET',
  path: '/healthz',
  roles: [],
  summary: 'What is degraded, in sentences. 503 while the process can not serve, as /readyz says.',
  answersUnready: true,
  input: z.strictObject({}),
  output: healthSchema,
});

export const readinessSchema = z.strictObject({
  status: z.enum(['ready', 'not-ready']),
  /** Why it can't serve. No names of volumes, files or addresses: /healthz has them. */
  reasons: z.array(z.string()),
});
export type Readiness = z.infer<typeof readinessSchema>;

/**
 * The probes of a container platform. They are no part of what an orchestrator or a driver calls,
 * so they stand in no API's table.
 */
export const PROBES = {
  live: operation({
    method: 'GET',
    path: '/livez',
    roles: [],
    summary: 'Whether the process runs at all. One that does not answer should be restarted.',
    input: z.strictObject({}),
    output: z.strictObject({ status: z.literal('alive') }),
  }),
  ready: operation({
    method: 'GET',
    path: '/readyz',
    roles: [],
    summary: 'Whether the process can serve now: 503 while it starts, stops, or lacks what it needs.',
    answersUnready: true,
    input: z.strictObject({}),
    output: readinessSchema,
  }),
} as const;

/** The answer of `ready` for these reasons. */
export function readinessOf(reasons: readonly string[]): Readiness {
  return { status: reasons.length === 0 ? 'ready' : 'not-ready', reasons: [...reasons] };
}
