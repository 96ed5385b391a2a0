// Every operation of every control API with every role: made from the tables, so that a new
// operation is tested by being there.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { applianceApi } from '../../contracts/appliance-api.js';
import { type ErrorCode, MoverError, problemSchema } from '../../contracts/errors.js';
import { IMAGE_READ_PATH, IMAGE_READ_ROLES, replicaSiteApi, STREAM_ROLES } from '../../contracts/replica-site-api.js';
import { type Role, roleSchema } from '../../contracts/roles.js';
import type { Api, Operation } from '../../contracts/route.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import { METRICS_PATH } from '../../control/metrics/metrics-page.js';
import { Callers } from '../../simulator/control-server/callers.js';
import {
  APPLIANCE_DESCRIPTION,
  REPLICA_SITE_DESCRIPTION,
  SPLITTER_DESCRIPTION,
} from '../../simulator/control-server/descriptions.js';
import type { Handlers } from '../../simulator/control-server/handlers.js';
import { imageReadRoute } from '../../simulator/control-server/image-read.js';
import type { Description } from '../../simulator/control-server/openapi.js';
import { type ControlServer, createControlServer } from '../../simulator/control-server/server.js';
import { streamUpgrade } from '../../simulator/stream/accept.js';
import { connectStream } from '../../simulator/stream/connect.js';

const ROLES = roleSchema.options;
/** A caller for each role, and one with none of the tokens. */
const WHO = [...ROLES, 'nobody'] as const;
const tokenOf = (who: string): string => `token-of-${who}`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'roles-'));
  const callers = ROLES.map((role) => ({
    name: `with-${role}`,
    roles: [role],
    tokenSha256: createHash('sha256').update(tokenOf(role)).digest('hex'),
  }));
  writeFileSync(join(folder, 'callers.json'), JSON.stringify({ callers }));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Whatever gets as far as a handler is let in. */
function letIn(): never {
  throw new MoverError('SHUTTING_DOWN', 'A handler was reached.');
}

/** Handlers for all of an API's operations. */
function handlersOf<A extends Api>(api: A): Handlers<A> {
  const handlers = Object.fromEntries(Object.keys(api).map((name) => [name, letIn]));
  return handlers as unknown as Handlers<A>;
}

function serverOf(api: Api, description: Description): ControlServer {
  return createControlServer({
    ...description,
    api,
    handlers: handlersOf(api),
    id: 'tested',
    listen: { host: '127.0.0.1', port: 0 },
    access: { credentials: {}, callers: new Callers({}, join(folder, 'callers.json')) },
    health: () => ({ notes: [] }),
    log: pino({ level: 'silent' }),
    binaryRoutes: [imageReadRoute(letIn)],
    onUpgrade: streamUpgrade({ onStream: (connection) => connection.close() }),
  });
}

async function codeOf(
  url: string,
  { method, path }: Pick<Operation, 'method' | 'path'>,
  who: string,
): Promise<ErrorCode | 'OK'> {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${tokenOf(who)}`, 'content-type': 'application/json' },
    ...(method === 'POST' ? { body: '{}' } : {}),
  });
  return answer.status === 200 ? 'OK' : problemSchema.parse(await answer.json()).code;
}

/** Written apart from the code under test: who may do what needs one of these roles. */
function mayWith(who: (typeof WHO)[number], needed: readonly Role[]): boolean {
  if (needed.length === 0) return true;
  if (who === 'nobody') return false;
  return who === 'admin' || needed.includes('read') || needed.includes(who);
}

describe.each([
  ['splitter', splitterApi, SPLITTER_DESCRIPTION],
  ['appliance', applianceApi, APPLIANCE_DESCRIPTION],
  ['replica site', replicaSiteApi, REPLICA_SITE_DESCRIPTION],
] as const)('the control API of the %s', (_name, api, description) => {
  let server: ControlServer;
  let url: string;
  beforeAll(async () => {
    server = serverOf(api, description);
    ({ url } = await server.start());
  });
  afterAll(async () => server.stop());

  const operations: readonly [string, Pick<Operation, 'method' | 'path' | 'roles'>][] = [
    ...Object.entries<Operation>(api),
    ['readImage', { method: 'GET', path: IMAGE_READ_PATH, roles: IMAGE_READ_ROLES }],
    ['metrics', { method: 'GET', path: METRICS_PATH, roles: ['read'] }],
  ];

  test.each(operations)('%s is open to its roles and to no other', async (name, operation) => {
    for (const who of WHO) {
      const code = await codeOf(url, operation, who);
      if (mayWith(who, operation.roles))
        expect(['OK', 'INVALID_REQUEST', 'SHUTTING_DOWN'], `${who}: ${name}`).toContain(code);
      else expect(code, `${who}: ${name}`).toBe(who === 'nobody' ? 'UNAUTHORIZED' : 'FORBIDDEN');
    }
  });

  test('a stream is open to its roles and to no other', async () => {
    for (const who of WHO) {
      const opened = connectStream({ url, credentials: { token: tokenOf(who) } });
      if (mayWith(who, STREAM_ROLES)) (await opened).close();
      else await expect(opened, who).rejects.toMatchObject({ code: who === 'nobody' ? 'UNAUTHORIZED' : 'FORBIDDEN' });
    }
  });

  test('what changes something needs more than looking, and only health needs nothing', () => {
    const changing = operations.filter(([, { method }]) => method === 'POST');
    expect(changing.filter(([, { roles }]) => roles.includes('read')).map(([name]) => name)).toEqual([]);
    expect(operations.filter(([, { roles }]) => roles.length === 0).map(([name]) => name)).toEqual(['health']);
  });
});

test('a refusal says who may not do what, and which role it takes', async () => {
  const server = serverOf(splitterApi, SPLITTER_DESCRIPTION);
  const { url } = await server.start();
  const answer = await fetch(`${url}${splitterApi.decideSource.path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokenOf('operate')}`, 'content-type': 'application/json' },
    body: '{}',
  });
  const problem = problemSchema.parse(await answer.json());
  await server.stop();
  expect(answer.status).toBe(403);
  expect(problem.detail).toBe(
    'with-operate may not call decideSource of the splitter tested: that takes the role admin, and with-operate has operate.',
  );
});

/** The table of docs/operating.md: for each list of roles, the operations of each process. */
function tableOfRoles(): string[][] {
  const streams: [string, Pick<Operation, 'roles'>] = ['stream', { roles: STREAM_ROLES }];
  const columns: (readonly [string, Pick<Operation, 'roles'>])[][] = [
    Object.entries<Operation>(splitterApi),
    [...Object.entries<Operation>(applianceApi), streams],
    [...Object.entries<Operation>(replicaSiteApi), ['readImage', { roles: IMAGE_READ_ROLES }], streams],
  ];
  const needs = new Set(columns.flat().map(([, { roles }]) => roles.join(' or ')));
  return [...needs].sort().map((need) => [
    need === '' ? 'nothing' : need,
    ...columns.map((operations) =>
      operations
        .filter(([, { roles }]) => roles.join(' or ') === need)
        .map(([name]) => `\`${name}\``)
        .join(', '),
    ),
  ]);
}

test('docs/operating.md has every operation with its roles', async () => {
  const page = await readFile(new URL('../../docs/operating.md', import.meta.url), 'utf8');
  const [, section = ''] = /<!-- roles:[^]*?-->([^]*?)<!-- end of roles -->/.exec(page) ?? [];
  const rows = section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  expect(rows.slice(2)).toEqual(tableOfRoles());
});
