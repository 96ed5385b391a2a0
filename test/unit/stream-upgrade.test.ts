// An HTTP connection becomes a stream: what is let in, what is refused, and by which error.
import { request } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { STREAM_PATH, STREAM_PROTOCOL } from '../../contracts/replica-site-api.js';
import { streamUpgrade } from '../../simulator/stream/accept.js';
import { connectStream } from '../../simulator/stream/connect.js';
import type { FrameConnection } from '../../simulator/stream/connection.js';
import { encodeFrame } from '../../simulator/stream/encode.js';
import { accessWith, containing, sampleServer } from './control-fixture.js';
import { Recorder, streamServer, writeFrame } from './stream-fixture.js';

/** A server that records its streams. */
async function recordingServer(token?: string) {
  const streams: Recorder[] = [];
  const onUpgrade = streamUpgrade({ onStream: (connection) => void streams.push(new Recorder(connection)) });
  const { url } = await sampleServer({ access: accessWith({ token }), onUpgrade }).start();
  return { url, streams };
}

/** What a raw HTTP request is answered, upgraded or not. */
async function ask(
  url: string,
  path: string,
  headers: Record<string, string>,
  method = 'GET',
): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(`${url}${path}`, { method, headers: { connection: 'Upgrade', ...headers }, agent: false });
    asked.on('error', reject);
    asked.on('response', (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
    asked.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode, body: '' });
    });
    asked.end();
  });
}

test('a stream goes both ways once it is upgraded', async () => {
  const { url, streams } = await recordingServer('secret');
  const near = new Recorder(await connectStream({ url: `${url}/`, credentials: { token: 'secret' } }));
  near.connection.send(writeFrame(1));
  await expect.poll(() => streams[0]?.frames).toEqual([writeFrame(1)]);
  streams[0]?.connection.send({ type: 'receipt', handle: 1, session: 1, n: 1, epoch: 1 });
  await near.until(({ frames }) => frames.length === 1);
  near.connection.close();
  expect([await near.closed, await streams[0]?.closed]).toEqual([{ by: 'here' }, { by: 'peer' }]);
});

test('frames sent together with the request for the upgrade, or with its answer, are not lost', async () => {
  const early: Recorder[] = [];
  const url = await streamServer({
    onStream: (connection) => {
      connection.send(writeFrame(7));
      early.push(new Recorder(connection));
    },
  });
  const asked = request(`${url}${STREAM_PATH}`, {
    headers: { connection: 'Upgrade', upgrade: STREAM_PROTOCOL },
    agent: false,
  });
  asked.on('socket', (socket) =>
    socket.on('connect', () => setImmediate(() => socket.write(Buffer.concat(encodeFrame(writeFrame(1)))))),
  );
  asked.on('upgrade', (_response, socket) => onTestFinished(() => void socket.destroy()));
  asked.end();
  await expect.poll(() => early[0]?.frames).toEqual([writeFrame(1)]);

  const near = new Recorder(await connectStream({ url }));
  await near.until(({ frames }) => frames.length === 1);
  expect(near.frames).toEqual([writeFrame(7)]);
});

test.each([undefined, 'wrong'])('with token %s a stream is refused as UNAUTHORIZED', async (token) => {
  const { url, streams } = await recordingServer('secret');
  await expect(connectStream({ url, credentials: { token } })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  expect(streams).toHaveLength(0);
});

test('an upgrade elsewhere, by another method or to another protocol is refused with a problem', async () => {
  const { url } = await recordingServer();
  expect(await ask(url, '/v1/other', { upgrade: STREAM_PROTOCOL })).toMatchObject({
    status: 404,
    body: containing('ROUTE_NOT_FOUND'),
  });
  expect(await ask(url, STREAM_PATH, { upgrade: STREAM_PROTOCOL }, 'POST')).toMatchObject({ status: 404 });
  expect(await ask(url, STREAM_PATH, { upgrade: 'websocket' })).toMatchObject({
    status: 400,
    body: containing(STREAM_PROTOCOL),
  });
  expect(await ask(url, STREAM_PATH, { upgrade: STREAM_PROTOCOL })).toMatchObject({ status: 101 });
});

test('a control server without streams refuses in its own words, and a place without a server is UNREACHABLE', async () => {
  const { url } = await sampleServer().start();
  await expect(connectStream({ url })).rejects.toMatchObject({ code: 'ROUTE_NOT_FOUND' });
  await expect(connectStream({ url: 'http://127.0.0.1:1' })).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: containing('127.0.0.1:1'),
  });
});

test('a server that does not answer is UNREACHABLE in time, and an abort rejects with its reason', async () => {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void silent.close());
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  await expect(connectStream({ url, timeoutMs: 50 })).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: containing('50 ms'),
  });
  const controller = new AbortController();
  const reason = new Error('enough');
  const connecting = connectStream({ url, signal: controller.signal });
  controller.abort(reason);
  await expect(connecting).rejects.toBe(reason);
  await expect(connectStream({ url, signal: controller.signal })).rejects.toBe(reason);
});

test('a control server takes streams beside its calls, and ends them when it stops', async () => {
  const accepted: FrameConnection[] = [];
  const server = sampleServer({
    access: accessWith({ token: 't' }),
    onUpgrade: streamUpgrade({ onStream: (connection) => void accepted.push(connection) }),
    // A stop that waits for the stream does not end before the test does.
    limits: { stopGraceMs: 3_600_000 },
  });
  const { url } = await server.start();
  const near = new Recorder(await connectStream({ url, credentials: { token: 't' } }));
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const far = new Recorder(accepted[0] ?? (await Promise.reject(new Error('no stream'))));
  await server.stop();
  await near.closed;
  expect(await far.closed).toMatchObject({ by: 'fault' });
});
