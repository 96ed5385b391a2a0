// The typed client of a control API over real HTTP: what it sends, and which error each failure
// becomes.
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createApiClient } from '../../control/client.js';
import { MoverError } from '../../contracts/errors.js';
import { splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import { createControlServer } from '../../simulator/control-server/server.js';
import { pino } from 'pino';
import type { Credentials } from '../../control/credentials.js';
import { LIFE } from '../support/identities.js';
import { accessWith, containing, sampleApi, type SampleOptions, sampleServer } from './control-fixture.js';

async function sample(options: SampleOptions = {}, credentials?: Credentials) {
  const { url: baseUrl } = await sampleServer(options).start();
  return createApiClient(sampleApi, { baseUrl, credentials });
}

/** The URL of a server that is none of ours. */
async function foreignServer(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('GET input goes to the query string without what is undefined, and defaults are filled in by the server', async () => {
  const client = await sample();
  expect(await client.list({ name: 'a&b=c d', limit: 3 })).toEqual({ names: ['a&b=c d:3'] });
  expect(await client.list({ name: undefined })).toEqual({ names: ['all:10'] });
});

test('POST input goes as JSON', async () => {
  const client = await sample();
  expect(await client.change({ name: 'ü' })).toEqual({ name: 'ü', size: 7 });
});

test('a path in the base URL is kept, with or without a slash at its end', async () => {
  const seen: (string | undefined)[] = [];
  const url = await foreignServer((request, response) => {
    seen.push(request.url);
    response.end('{"names":[]}');
  });
  await createApiClient(sampleApi, { baseUrl: `${url}/prefix/` }).list({});
  await createApiClient(sampleApi, { baseUrl: `${url}/prefix` }).list({ limit: 1 });
  expect(seen).toEqual(['/prefix/v1/things', '/prefix/v1/things?limit=1']);
});

test('what the server refuses comes back as the same error, with its reasons', async () => {
  const refusal = new MoverError('GROUP_FULL', 'No room.', {
    reasons: [{ code: 'GROUP_FULL', subject: 'to', message: 'full' }],
  });
  const client = await sample({
    handlers: {
      list: () => {
        throw refusal;
      },
      change: (input) => input,
    },
  });
  const error: unknown = await client.list({}).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(MoverError);
  expect(error).toMatchObject({ code: 'GROUP_FULL', message: 'No room.', reasons: refusal.reasons, retryable: false });
});

test('the token is sent', async () => {
  await expect((await sample({ access: accessWith({ token: 't' }) }, { token: 't' })).list({})).resolves.toBeDefined();
  await expect((await sample({ access: accessWith({ token: 't' }) })).list({})).rejects.toMatchObject({
    code: 'UNAUTHORIZED',
  });
});

test('a refused connection is UNREACHABLE and says where, which operation and why', async () => {
  const server = sampleServer();
  const { url } = await server.start();
  await server.stop();
  const call = createApiClient(sampleApi, { baseUrl: url }).list({});
  await expect(call).rejects.toMatchObject({ code: 'UNREACHABLE', retryable: true });
  await expect(call).rejects.toThrow(url);
  await expect(call).rejects.toThrow(/list .*ECONNREFUSED/);
});

test('a connection that breaks within the answer is UNREACHABLE', async () => {
  const baseUrl = await foreignServer((_request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{"names"');
    setImmediate(() => response.destroy());
  });
  await expect(createApiClient(sampleApi, { baseUrl }).list({})).rejects.toMatchObject({ code: 'UNREACHABLE' });
});

test('an answer that takes too long is UNREACHABLE, also when only its end is missing', async () => {
  const baseUrl = await foreignServer((request, response) => {
    if (request.method === 'GET') response.write('{"names":');
  });
  const client = createApiClient(sampleApi, { baseUrl, timeoutMs: 50 });
  // One after the other: a rejection that nobody awaits yet would count as unhandled.
  for (const call of [async () => client.list({}), async () => client.change({ name: 'a' })]) {
    await expect(call()).rejects.toMatchObject({ code: 'UNREACHABLE', message: containing('within 50 ms') });
  }
});

test('an error page of something else is UNREACHABLE', async () => {
  const baseUrl = await foreignServer((_request, response) => response.writeHead(502).end('<h1>Bad gateway</h1>'));
  await expect(createApiClient(sampleApi, { baseUrl }).list({})).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: containing('502 without a problem of this API: "<h1>Bad gateway</h1>"'),
  });
});

test('a redirect is not followed: the token stays here', async () => {
  let followed = false;
  const elsewhere = await foreignServer((_request, response) => {
    followed = true;
    response.end('{"names":[]}');
  });
  const baseUrl = await foreignServer((_request, response) => response.writeHead(307, { location: elsewhere }).end());
  await expect(createApiClient(sampleApi, { baseUrl, credentials: { token: 't' } }).list({})).rejects.toMatchObject({
    code: 'UNREACHABLE',
  });
  expect(followed).toBe(false);
});

test.each(['not json', '{"names":5}', '{"names":[],"more":1}', '', 'null'])(
  'a success that says %j is INTERNAL',
  async (body) => {
    const baseUrl = await foreignServer((_request, response) => response.end(body));
    await expect(createApiClient(sampleApi, { baseUrl }).list({})).rejects.toMatchObject({ code: 'INTERNAL' });
  },
);

test('an abort by the caller rejects with the reason of its signal', async () => {
  const asked = new AbortController();
  const reason = new Error('enough');
  const baseUrl = await foreignServer(() => asked.abort(reason));
  const client = createApiClient(sampleApi, { baseUrl });
  await expect(client.list({}, { signal: asked.signal })).rejects.toBe(reason);
  await expect(client.list({}, { signal: asked.signal })).rejects.toBe(reason);
});

test('a base URL that is none is refused at once', () => {
  for (const baseUrl of ['', 'localhost:80', 'ftp://a', 'http://']) {
    expect(() => createApiClient(sampleApi, { baseUrl })).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
  }
});

test('the splitter’s API goes through whole: brands, defaults, nested records and its errors', async () => {
  const volume = volumeIdSchema.parse('vm-1-disk-0');
  const splitter = splitterIdSchema.parse('s1');
  const refuse = (): never => {
    throw new MoverError('NOT_FENCED', 'There is no fence.');
  };
  const server = createControlServer({
    api: splitterApi,
    handlers: {
      inventory: () => ({ splitter, volumes: [] }),
      notify: () => ({ volumes: [] }),
      fence: ({ volumes, holdMs }) => ({
        cuts: volumes.map((each) => ({ volume: each, session: 1, n: holdMs })),
        others: [],
        life: LIFE,
        atMs: 5,
      }),
      confirm: refuse,
      renew: refuse,
      learn: refuse,
      cut: () => ({ cuts: [], leftOut: [], life: LIFE, atMs: 0 }),
      confirmCut: () => ({ held: true }),
      openScan: refuse,
      readScan: refuse,
      closeScan: refuse,
      resync: refuse,
      decideSource: refuse,
      addVolume: refuse,
      growVolume: refuse,
      retireVolume: refuse,
      forgetVolume: refuse,
    },
    role: 'splitter',
    id: splitter,
    listen: { host: '127.0.0.1', port: 0 },
    health: () => ({ notes: [] }),
    log: pino({ level: 'silent' }),
    title: 'Splitter',
    description: '',
  });
  onTestFinished(() => server.stop());
  const { url } = await server.start();
  const client = createApiClient(splitterApi, { baseUrl: url });
  const attempt = { move: 'move-1@run', n: 1, ticket: 1 };
  expect(await client.health({})).toMatchObject({ status: 'ok', id: 's1' });
  expect(await client.inventory({ volume: 'vm-1-disk-0' })).toEqual({ splitter, volumes: [] });
  expect(await client.fence({ attempt, volumes: ['vm-1-disk-0'], leaseMs: 1_000 })).toEqual({
    cuts: [{ volume, session: 1, n: 0 }],
    others: [],
    life: LIFE,
    atMs: 5,
  });
  await expect(client.fence({ attempt, volumes: ['../x'], leaseMs: 1 })).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
    reasons: [{ subject: 'volumes.0' }],
  });
  await expect(client.confirm({ attempt })).rejects.toMatchObject({ code: 'NOT_FENCED' });
});
