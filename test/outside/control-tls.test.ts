// Control calls and streams over TLS with client certificates: who is let in, who is refused in
// words, and certificates that are replaced.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { Agent, get as httpsGet } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createApiClient } from '../../control/client.js';
import { type Credentials, readCredentials } from '../../control/credentials.js';
import { type Access, readAccess } from '../../simulator/control-server/access.js';
import { Callers } from '../../simulator/control-server/callers.js';
import { streamUpgrade } from '../../simulator/stream/accept.js';
import { connectStream } from '../../simulator/stream/connect.js';
import { Authority, type Issued } from '../support/authority.js';
import { PATIENCE_MS } from '../support/until.js';
import { containing, sampleApi, type SampleOptions, sampleServer } from '../unit/control-fixture.js';
import { Recorder, writeFrame } from '../unit/stream-fixture.js';

let folder: string;
let authority: Authority;
let other: Authority;
let ofServer: Issued;
let ofClient: Issued;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'control-tls-'));
  authority = new Authority(folder);
  other = new Authority(folder, 'other');
  ofServer = authority.issue('server');
  ofClient = authority.issue('worker-1');
});
afterAll(() => rmSync(folder, { recursive: true }));

function accessOf(credentials: Credentials): Access {
  return { credentials, callers: new Callers(credentials) };
}

/** A TLS server that listens beyond loopback; reached here by 127.0.0.1. */
async function started(options: SampleOptions = {}): Promise<string> {
  const server = sampleServer({
    access: accessOf({ tls: authority.identity(ofServer) }),
    listen: { host: '0.0.0.0', port: 0, tls: true },
    ...options,
  });
  const { port } = await server.start();
  return `https://127.0.0.1:${port}`;
}

const matching = (words: RegExp): unknown => expect.stringMatching(words);
const list = async (baseUrl: string, credentials: Credentials) =>
  createApiClient(sampleApi, { baseUrl, credentials }).list({});
const shown = (issued?: Issued, by = authority): Credentials => ({
  tls: { ...by.identity(issued), ...caOf(authority) },
});
const caOf = (trusted: Authority) => ({ ca: trusted.identity().ca });

test('a caller with a certificate of the authority is let in, and is called by its name', async () => {
  const url = await started();
  await expect(list(url, shown(ofClient))).resolves.toEqual({ names: ['all:10'] });
});

test('a caller without a certificate is refused in words, but may ask for health', async () => {
  const url = await started();
  await expect(list(url, shown())).rejects.toMatchObject({
    code: 'UNAUTHORIZED',
    message: 'The splitter sample refused the caller: it showed no client certificate, and needs one.',
  });
  await expect(createApiClient(sampleApi, { baseUrl: url, credentials: shown() }).health({})).resolves.toMatchObject({
    status: 'ok',
  });
});

test('a certificate of another authority is refused in words', async () => {
  const url = await started();
  await expect(list(url, shown(other.issue('worker-1'), other))).rejects.toMatchObject({
    code: 'UNAUTHORIZED',
    message: containing('its certificate, of worker-1, is not accepted ('),
  });
});

test('a client does not speak to a server of another authority, nor to one of another name', async () => {
  const url = await started();
  const trusting = { tls: { ...authority.identity(ofClient), ...caOf(other) } };
  const untrusted = { code: 'UNREACHABLE', message: containing('set VOLUME_MOVER_TLS_CA_FILE to the authority') };
  await expect(list(url, trusting)).rejects.toMatchObject(untrusted);
  await expect(list(url, {})).rejects.toMatchObject(untrusted);
  await expect(connectStream({ url, credentials: trusting })).rejects.toMatchObject(untrusted);
  const elsewhere = authority.issue('elsewhere', { alternatives: [] });
  const strange = await started({ access: accessOf({ tls: authority.identity(elsewhere) }) });
  await expect(list(strange, shown(ofClient))).rejects.toMatchObject({ code: 'UNREACHABLE' });
});

test('on loopback a certificate may be shown, and need not', async () => {
  const url = await started({ listen: { host: '127.0.0.1', port: 0, tls: true } });
  await expect(list(url, shown())).resolves.toBeDefined();
  await expect(list(url, shown(ofClient))).resolves.toBeDefined();
  await expect(list(url, shown(other.issue('x'), other))).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
});

test('a token counts beside a certificate', async () => {
  const credentials = { tls: authority.identity(ofServer), token: 'secret' };
  const url = await started({ access: accessOf(credentials) });
  await expect(list(url, { ...shown(ofClient), token: 'secret' })).resolves.toBeDefined();
  await expect(list(url, shown(ofClient))).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  await expect(list(url, { ...shown(), token: 'secret' })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
});

test('a stream goes over TLS, and needs a certificate too', async () => {
  const streams: Recorder[] = [];
  const onUpgrade = streamUpgrade({ onStream: (connection) => void streams.push(new Recorder(connection)) });
  const url = await started({ onUpgrade });
  const near = new Recorder(await connectStream({ url, credentials: shown(ofClient) }));
  near.connection.send(writeFrame(1));
  await expect.poll(() => streams[0]?.frames, { timeout: PATIENCE_MS }).toEqual([writeFrame(1)]);
  near.connection.close();
  await expect(connectStream({ url, credentials: shown() })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
});

test('stop ends TLS connections that are kept alive, and streams', async () => {
  const onUpgrade = streamUpgrade({ onStream: (connection) => void new Recorder(connection) });
  const access = accessOf({ tls: authority.identity(ofServer) });
  const server = sampleServer({ access, listen: { host: '0.0.0.0', port: 0, tls: true }, onUpgrade });
  const url = `https://127.0.0.1:${(await server.start()).port}`;
  await list(url, shown(ofClient));
  const near = new Recorder(await connectStream({ url, credentials: shown(ofClient) }));
  await server.stop();
  await near.closed;
  expect(server.app.server.listening).toBe(false);
});

test('certificates that are replaced count at both ends, without a restart', async () => {
  const place = { cert: join(folder, 'kept.pem'), key: join(folder, 'kept.key'), ca: join(folder, 'kept-ca.pem') };
  const put = (issued: Issued, by: Authority): void => {
    copyFileSync(issued.cert, place.cert);
    copyFileSync(issued.key, place.key);
    copyFileSync(by.path, place.ca);
  };
  const environment = {
    VOLUME_MOVER_TLS_CERT_FILE: place.cert,
    VOLUME_MOVER_TLS_KEY_FILE: place.key,
    VOLUME_MOVER_TLS_CA_FILE: place.ca,
  };
  put(ofServer, authority);
  const url = await started({ access: readAccess(environment) });
  const kept = readCredentials(environment);
  await expect(list(url, kept)).resolves.toBeDefined();
  const renewed = other.issue('renewed');
  put(renewed, other);
  const former = shown(ofClient);
  const renewedOnly = { tls: other.identity(renewed) };
  await expect
    .poll(async () => list(url, renewedOnly).catch(() => 'not yet'), { timeout: PATIENCE_MS })
    .not.toBe('not yet');
  await expect.poll(async () => list(url, kept).catch(() => 'not yet'), { timeout: PATIENCE_MS }).not.toBe('not yet');
  await expect(connectStream({ url, credentials: former })).rejects.toMatchObject({ code: 'UNREACHABLE' });
});

test.each([
  [{ host: '0.0.0.0', port: 0 }, {}, /"tls": true.*VOLUME_MOVER_TLS_CERT_FILE.*VOLUME_MOVER_PLAIN_HTTP=1/],
  [{ host: '127.0.0.1', port: 0, tls: true }, {}, /set VOLUME_MOVER_TLS_CERT_FILE and VOLUME_MOVER_TLS_KEY_FILE/],
  [{ host: '0.0.0.0', port: 0, tls: true }, { cert: true }, /set VOLUME_MOVER_TLS_CA_FILE/],
  [{ host: '0.0.0.0', port: 0 }, { token: 'secret' }, /"tls": true/],
])('a server at %j with %j is not started, and the refusal names the setting', async (listen, has, words) => {
  const { ca: _ca, ...withoutCa } = authority.identity(ofServer);
  const credentials: Credentials = 'cert' in has ? { tls: withoutCa } : has;
  const server = sampleServer({ access: accessOf(credentials), listen });
  await expect(server.start()).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
    message: matching(words),
  });
});

test('behind a tunnel a server may listen without TLS, but not without callers', async () => {
  const listen = { host: '0.0.0.0', port: 0 };
  const closed = sampleServer({ access: accessOf({ allowsPlain: true }), listen });
  await expect(closed.start()).rejects.toMatchObject({ message: containing('VOLUME_MOVER_CALLERS_FILE') });
  const open = sampleServer({ access: accessOf({ token: 'secret', allowsPlain: true }), listen });
  onTestFinished(() => open.stop());
  const { port } = await open.start();
  await expect(list(`http://127.0.0.1:${port}`, { token: 'secret' })).resolves.toBeDefined();
});

test('a token is not sent to another machine in clear, unless a tunnel protects it', async () => {
  const received: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    received.push(request.headers.authorization);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ names: [] }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  // An address of this machine that does not look like loopback.
  const elsewhere = `http://[::ffff:127.0.0.1]:${port}`;
  const refusal = { code: 'INVALID_REQUEST', message: containing('VOLUME_MOVER_PLAIN_HTTP=1') };
  await expect(list(elsewhere, { token: 'secret' })).rejects.toMatchObject(refusal);
  await expect(connectStream({ url: elsewhere, credentials: { token: 'secret' } })).rejects.toMatchObject(refusal);
  expect(received).toEqual([]);
  await list(elsewhere, { token: 'secret', allowsPlain: true });
  await list(`http://127.0.0.1:${port}`, { token: 'secret' });
  const { health } = createApiClient(sampleApi, { baseUrl: elsewhere, credentials: { token: 'secret' } });
  await expect(health({})).rejects.toMatchObject({ code: 'INTERNAL' });
  expect(received).toEqual(['Bearer secret', 'Bearer secret', undefined]);
});

test('a certificate that ends soon is told, and one that does not is not', () => {
  const faultsOf = ({ cert, key }: Issued): readonly string[] =>
    readCredentials({ VOLUME_MOVER_TLS_CERT_FILE: cert, VOLUME_MOVER_TLS_KEY_FILE: key }).faults ?? [];
  expect(faultsOf(ofServer)).toEqual([]);
  expect(faultsOf(authority.issue('brief', { days: 5 }))).toEqual([
    expect.stringMatching(
      /^The certificate of VOLUME_MOVER_TLS_CERT_FILE ends at .*Z\. From then on other processes refuse this one/,
    ),
  ]);
});

test('a connection that resumes a session still shows its certificate', async () => {
  const url = await started();
  const agent = new Agent({ ...authority.identity(ofClient), keepAlive: false });
  const ask = async (): Promise<{ status: number | undefined; isResumed: boolean }> => {
    const request = httpsGet(`${url}/v1/things`, { agent });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const isResumed = request.socket instanceof TLSSocket && request.socket.isSessionReused();
    response.resume();
    await once(response, 'end');
    return { status: response.statusCode, isResumed };
  };
  expect(await ask()).toEqual({ status: 200, isResumed: false });
  expect(await ask()).toEqual({ status: 200, isResumed: true });
});

test('a client that speaks TLS to a server without it is told so', async () => {
  const plain = sampleServer();
  const { port } = await plain.start();
  const url = `https://127.0.0.1:${port}`;
  const refusal = { code: 'UNREACHABLE', message: containing('the server does not speak TLS') };
  await expect(list(url, shown(ofClient))).rejects.toMatchObject(refusal);
  await expect(connectStream({ url, credentials: shown(ofClient) })).rejects.toMatchObject(refusal);
});
