// A small API and a server for it, to try the control client and server on.
import { expect, onTestFinished } from 'vitest';
import { pino } from 'pino';
import { z } from 'zod';
import { healthOperation } from '../../contracts/health.js';
import { operation } from '../../contracts/route.js';
import type { Credentials } from '../../control/credentials.js';
import type { Access } from '../../simulator/control-server/access.js';
import { Callers } from '../../simulator/control-server/callers.js';
import {
  type ControlServer,
  type ControlServerOptions,
  createControlServer,
} from '../../simulator/control-server/server.js';

export const sampleApi = {
  health: healthOperation,
  list: operation({
    method: 'GET',
    path: '/v1/things',
    roles: ['read'],
    summary: 'Things.',
    input: z.strictObject({ name: z.string().optional(), limit: z.coerce.number().int().min(1).max(10).default(10) }),
    output: z.strictObject({ names: z.array(z.string()) }),
  }),
  change: operation({
    method: 'POST',
    path: '/v1/things/change',
    roles: ['operate'],
    summary: 'Changes a thing.',
    input: z.strictObject({ name: z.string(), size: z.number().int().default(7) }),
    output: z.strictObject({ name: z.string(), size: z.number() }),
  }),
} as const;

export type SampleOptions = Partial<ControlServerOptions<typeof sampleApi>>;

/** A server that is not started, with the lines it logs; stopped when the test ends. */
export function sampleServer(options: SampleOptions = {}): ControlServer & { readonly logged: string[] } {
  const logged: string[] = [];
  const server = createControlServer({
    api: sampleApi,
    handlers: {
      list: ({ name, limit }) => ({ names: [`${name ?? 'all'}:${limit}`] }),
      change: (input) => input,
    },
    role: 'splitter',
    id: 'sample',
    listen: { host: '127.0.0.1', port: 0 },
    health: () => ({ notes: [] }),
    log: pino({ level: 'error' }, { write: (line) => void logged.push(line) }),
    title: 'Sample',
    description: 'A sample.',
    ...options,
  });
  onTestFinished(() => server.stop());
  return { ...server, logged };
}

/** What a process gets that was started with one token for all. */
export function accessWith(credentials: Credentials): Access {
  return { credentials, callers: new Callers(credentials) };
}

/** A matcher for toMatchObject, where vitest's own is typed any. */
export function containing(text: string): unknown {
  return expect.stringContaining(text);
}
