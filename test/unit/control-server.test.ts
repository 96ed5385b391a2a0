// A control server over real HTTP: refusals, limits, tokens, health, and an orderly stop.
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { createApiClient } from '../../control/client.js';
import { MoverError, type Problem, problemSchema } from '../../contracts/errors.js';
import { healthSchema } from '../../contracts/health.js';
import { binaryRoute } from '../../simulator/control-server/binary-route.js';
import { accessWith, containing, sampleApi, type SampleOptions, sampleServer } from './control-fixture.js';

/** A grace time that outlasts every test: a stop that waits for it never ends. */
const NEVER_MS = 3_600_000;

async function problemOf(response: Response): Promise<Problem> {
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const problem = problemSchema.parse(await response.json());
  expect(problem.status).toBe(response.status);
  return problem;
}

const post = (
  url: string,
  body: string,
  headers: Record<string, string> = { 'content-type': 'application/json' },
): Promise<Response> => fetch(`${url}/v1/things/change`, { method: 'POST', headers, body });

async function started(options: SampleOptions = {}) {
  const server = sampleServer(options);
  return { ...server, ...(await server.start()) };
}

test('an unknown field is refused by name', async () => {
  const { url } = await started();
  const inBody = await problemOf(await post(url, JSON.stringify({ name: 'a', colour: 'red' })));
  expect(inBody.reasons).toEqual([{ code: 'INVALID_REQUEST', subject: 'colour', message: 'unknown field "colour"' }]);
  const inQuery = await problemOf(await fetch(`${url}/v1/things?colour=red`));
  expect(inQuery.reasons?.[0]?.subject).toBe('colour');
});

test('every field at fault is named in one answer', async () => {
  const { url } = await started();
  const problem = await problemOf(await post(url, JSON.stringify({ name: 5, size: 'x' })));
  expect(problem.code).toBe('INVALID_REQUEST');
  expect(problem.reasons?.map((reason) => reason.subject)).toEqual(['name', 'size']);
});

test.each([
  ['broken JSON', '{"name":', { 'content-type': 'application/json' }],
  ['no body', '', { 'content-type': 'application/json' }],
  ['a list', '[]', { 'content-type': 'application/json' }],
  ['null', 'null', { 'content-type': 'application/json' }],
  ['a form', 'name=a', { 'content-type': 'application/x-www-form-urlencoded' }],
  ['plain text, which browsers send to anyone', '{"name":"a"}', { 'content-type': 'text/plain' }],
  ['a poisoned prototype', '{"name":"a","__proto__":{"size":1}}', { 'content-type': 'application/json' }],
])('a body that is %s is an INVALID_REQUEST', async (_what, body, headers) => {
  const { url } = await started();
  expect((await problemOf(await post(url, body, headers))).code).toBe('INVALID_REQUEST');
});

test('a body beyond the limit is TOO_LARGE', async () => {
  const { url } = await started({ limits: { bodyBytesMax: 100 } });
  expect((await problemOf(await post(url, JSON.stringify({ name: 'a'.repeat(200) })))).code).toBe('TOO_LARGE');
});

test('the default body limit is 1 MiB', async () => {
  const { url } = await started();
  const body = (bytes: number): string => JSON.stringify({ name: '' }).replace('""', `"${'a'.repeat(bytes - 11)}"`);
  expect((await post(url, body(1024 * 1024))).status).toBe(200);
  expect((await problemOf(await post(url, body(1024 * 1024 + 1)))).code).toBe('TOO_LARGE');
});

test.each(['/v1/nothing', '/', '/v1/things/'])('%s is a ROUTE_NOT_FOUND', async (path) => {
  const { url } = await started();
  expect((await problemOf(await fetch(`${url}${path}`))).code).toBe('ROUTE_NOT_FOUND');
});

test('an operation asked for with the wrong method is a ROUTE_NOT_FOUND', async () => {
  const { url } = await started();
  expect((await problemOf(await fetch(`${url}/v1/things/change`))).code).toBe('ROUTE_NOT_FOUND');
  expect((await fetch(`${url}/v1/things`, { method: 'HEAD' })).status).toBe(404);
});

test('a path that cannot be decoded is answered with a problem', async () => {
  const { url } = await started();
  expect((await problemOf(await fetch(`${url}/v1/%zz`))).code).toBe('INVALID_REQUEST');
});

test.each([undefined, 'Bearer wrong', 'Bearer', 'Basic secret', 'secret', 'Bearer secret2', 'Bearer secre'])(
  'with a token set, "%s" is UNAUTHORIZED',
  async (authorization) => {
    const { url } = await started({ access: accessWith({ token: 'secret' }) });
    const headers = authorization === undefined ? {} : { authorization };
    for (const path of ['/v1/things', '/v1/nothing']) {
      const response = await fetch(`${url}${path}`, { headers });
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      expect((await problemOf(response)).code).toBe('UNAUTHORIZED');
    }
  },
);

test('with a token set, the right one is let in, and health and the document need none', async () => {
  const { url } = await started({ access: accessWith({ token: 'secret' }) });
  expect((await fetch(`${url}/v1/things`, { headers: { authorization: 'Bearer secret' } })).status).toBe(200);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect((await fetch(`${url}/openapi.json`)).status).toBe(200);
});

test.each(['0.0.0.0', '::', '192.0.2.1', 'example.test'])(
  'listening on %s without a token is refused before anything listens',
  async (host) => {
    const server = sampleServer({ listen: { host, port: 0 } });
    await expect(server.start()).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      message: containing('VOLUME_MOVER_TOKEN'),
    });
    expect(server.app.server.listening).toBe(false);
  },
);

test('health says ok without notes and degraded with them', async () => {
  const notes: string[] = [];
  const { url } = await started({ health: () => ({ notes }) });
  const health = async () => healthSchema.parse(await (await fetch(`${url}/healthz`)).json());
  expect(await health()).toMatchObject({ status: 'ok', role: 'splitter', id: 'sample', notes: [] });
  notes.push('The bitmap was lost.');
  expect(await health()).toMatchObject({ status: 'degraded', notes: ['The bitmap was lost.'] });
});

test('a process that can not serve says so by its status codes, and goes on living', async () => {
  const reasons: string[] = [];
  const { url } = await started({ unready: () => reasons, access: accessWith({ token: 'secret' }) });
  const statuses = async (method: string) =>
    Promise.all(['/livez', '/readyz', '/healthz'].map(async (path) => (await fetch(url + path, { method })).status));
  expect(await statuses('GET')).toEqual([200, 200, 200]);
  reasons.push('It can store nothing.');
  for (const method of ['GET', 'HEAD']) expect(await statuses(method), method).toEqual([200, 503, 503]);
  const ready: unknown = await (await fetch(`${url}/readyz`)).json();
  expect(ready).toEqual({ status: 'not-ready', reasons });
  // A typed caller gets the report whatever the status.
  const { health } = createApiClient(sampleApi, { baseUrl: url });
  expect(await health({})).toMatchObject({ status: 'degraded', notes: reasons });
  // What else is refused while it can not serve is still a problem.
  expect((await problemOf(await fetch(`${url}/readyz?colour=red`))).code).toBe('INVALID_REQUEST');
});

test('an unforeseen error is INTERNAL, logged with its stack and not shown', async () => {
  const fail = (): never => {
    throw new TypeError('the password is swordfish');
  };
  const { url, logged } = await started({ handlers: { list: fail, change: fail } });
  const response = await fetch(`${url}/v1/things`);
  const problem = await problemOf(response);
  expect(problem.code).toBe('INTERNAL');
  expect(JSON.stringify(problem)).not.toContain('swordfish');
  expect(logged.join()).toContain('swordfish');
  expect(logged.join()).toContain('control-server.test.ts');
});

test('an answer that is not of the agreed form is INTERNAL and does not get out', async () => {
  const { url, logged } = await started({
    handlers: { list: () => ({ names: ['a'], secret: 'swordfish' }), change: (input) => input },
  });
  const problem = await problemOf(await fetch(`${url}/v1/things`));
  expect(problem.code).toBe('INTERNAL');
  expect(JSON.stringify(problem)).not.toContain('swordfish');
  expect(logged).toHaveLength(1);
});

test('a binary route is under the same token and refuses unknown fields too', async () => {
  const route = binaryRoute({
    name: 'bytes',
    path: '/v1/bytes',
    roles: ['read'],
    summary: 'Bytes.',
    input: z.strictObject({ length: z.coerce.number().int().max(10) }),
    read: async ({ length }) => Buffer.alloc(length, 0xee),
  });
  const { url } = await started({ access: accessWith({ token: 'secret' }), binaryRoutes: [route] });
  const headers = { authorization: 'Bearer secret' };
  const response = await fetch(`${url}/v1/bytes?length=3`, { headers });
  expect(response.headers.get('content-type')).toBe('application/octet-stream');
  expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.from([0xee, 0xee, 0xee]));
  expect((await problemOf(await fetch(`${url}/v1/bytes?length=3`))).code).toBe('UNAUTHORIZED');
  expect((await problemOf(await fetch(`${url}/v1/bytes?length=11`, { headers }))).reasons?.[0]?.subject).toBe('length');
});

test('a port that is taken is refused in words, and the start can be tried again', async () => {
  const first = await started();
  const second = sampleServer({ listen: { host: '127.0.0.1', port: first.port } });
  await expect(second.start()).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
    message: containing(`port ${first.port}`),
  });
  await first.stop();
  expect((await second.start()).port).toBe(first.port);
});

test('start and stop are safe to call twice', async () => {
  const server = sampleServer();
  const [one, two] = await Promise.all([server.start(), server.start()]);
  expect(one).toEqual(two);
  await Promise.all([server.stop(), server.stop()]);
  await server.stop();
  await expect(fetch(one.url)).rejects.toThrow('fetch failed');
});

test('stop does not wait for idle connections that are kept alive, nor for silent ones', async () => {
  const { url, port, stop } = await started({ limits: { stopGraceMs: NEVER_MS } });
  await (await fetch(`${url}/healthz`)).text();
  const silent = connect(port, '127.0.0.1');
  await once(silent, 'connect');
  const closed = once(silent, 'close');
  await stop();
  await closed;
  expect(silent.destroyed).toBe(true);
});

test('stop lets a call under way end, and then its connection', async () => {
  let enter = (): void => {};
  const entered = new Promise<void>((resolve) => {
    enter = resolve;
  });
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { url, stop } = await started({
    handlers: {
      list: async () => {
        enter();
        await held;
        return { names: [] };
      },
      change: (input) => input,
    },
  });
  const answer = fetch(`${url}/v1/things`);
  await entered;
  const stopped = stop();
  release();
  expect((await answer).status).toBe(200);
  await stopped;
});

test('stop cuts off a call that outlasts the grace time, after telling its handler', async () => {
  let enter = (): void => {};
  const entered = new Promise<void>((resolve) => {
    enter = resolve;
  });
  let told: unknown;
  const { url, stop } = await started({
    limits: { stopGraceMs: 50 },
    handlers: {
      list: (_input, { signal }) => {
        enter();
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            told = signal.reason;
            reject(new Error('told'));
          });
        });
      },
      change: (input) => input,
    },
  });
  const answer = fetch(`${url}/v1/things`).catch((error: unknown) => error);
  await entered;
  await stop();
  await answer;
  expect(told).toMatchObject({ code: 'SHUTTING_DOWN' });
});

test('a handler learns that its caller has hung up', async () => {
  let aborted = (_reason: unknown): void => {};
  const reason = new Promise<unknown>((resolve) => {
    aborted = resolve;
  });
  let enter = (): void => {};
  const entered = new Promise<void>((resolve) => {
    enter = resolve;
  });
  const { url } = await started({
    handlers: {
      list: (_input, { signal }) => {
        signal.addEventListener('abort', () => aborted(signal.reason));
        enter();
        return new Promise(() => {});
      },
      change: (input) => input,
    },
    limits: { stopGraceMs: 10 },
  });
  const request = httpRequest(`${url}/v1/things`);
  request.on('error', () => {});
  request.end();
  await entered;
  request.destroy();
  expect(await reason).toBeInstanceOf(MoverError);
});

test('a hundred calls at once are all answered', async () => {
  const { url } = await started();
  const client = createApiClient(sampleApi, { baseUrl: url });
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => client.change({ name: `n${i}` })));
  expect(answers.map((answer) => answer.name)).toEqual(Array.from({ length: 100 }, (_, i) => `n${i}`));
});

test('what is no HTTP is answered with a problem', async () => {
  const { port } = await started();
  const socket = connect(port, '127.0.0.1');
  socket.write('hello\r\n\r\n');
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 [^]*application\/problem\+json[^]*"INVALID_REQUEST"/);
});
