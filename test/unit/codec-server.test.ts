// The codec server over real HTTP: what it decodes, and whom it lets ask.
import { request } from 'node:http';
import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type CodecServer, startCodecServer } from '../../client/codec-server/codec-server.js';

const UI = 'http://127.0.0.1:8233';
/** Turns every byte round: enough to see that it was asked. */
const turned: PayloadCodec = {
  encode: async (payloads) => payloads.map(turn),
  decode: async (payloads) => payloads.map(turn),
};
function turn({ metadata, data }: Payload): Payload {
  return { metadata: { ...metadata }, data: (data ?? new Uint8Array()).map((byte) => 255 - byte) };
}

let server: CodecServer;
beforeEach(async () => {
  server = await startCodecServer({ codec: turned, host: '127.0.0.1', port: 0, origins: [UI] });
});
afterEach(async () => server.stop());

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const { metadata, data } = defaultPayloadConverter.toPayload('hello');
const JSON_PAYLOAD = {
  metadata: { encoding: base64(metadata?.['encoding'] ?? new Uint8Array()) },
  data: base64(data ?? new Uint8Array()),
};

const post = async (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

test('encodes and decodes the payloads of a page, with a namespace in the path or not', async () => {
  const encoded = (await (await post('/encode', { payloads: [JSON_PAYLOAD] })).json()) as { payloads: unknown[] };
  expect(encoded.payloads).not.toEqual([JSON_PAYLOAD]);
  for (const path of ['/decode', '/moves.a1b2c/decode', '/decode?x']) {
    const decoded: unknown = await (await post(path, encoded)).json();
    expect(decoded, path).toEqual({ payloads: [JSON_PAYLOAD] });
  }
});

test('pages of the Temporal UI may ask, and are told so before they do', async () => {
  const asked = await fetch(`${server.url}/decode`, { method: 'OPTIONS', headers: { origin: UI } });
  expect(asked.status).toBe(204);
  expect(asked.headers.get('access-control-allow-origin')).toBe(UI);
  expect(asked.headers.get('access-control-allow-headers')).toContain('x-namespace');
  const answered = await post('/decode', { payloads: [] }, { origin: UI });
  expect(answered.headers.get('access-control-allow-origin')).toBe(UI);
});

test('pages of others may not, nor those that call this machine by a name of their own', async () => {
  const stranger = await post('/decode', { payloads: [JSON_PAYLOAD] }, { origin: 'https://evil.example' });
  expect(stranger.status).toBe(403);
  expect(stranger.headers.get('access-control-allow-origin')).toBeNull();
  const { port } = new URL(server.url);
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const asked = request({
      host: '127.0.0.1',
      port,
      path: '/decode',
      method: 'POST',
      headers: { host: 'evil.example' },
    });
    asked.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject);
    asked.end('{}');
  });
  expect(status).toBe(403);
});

test.each([
  ['no payloads', '/decode', {}, 400],
  ['another path', '/', { payloads: [] }, 404],
])('%s is refused with a problem', async (_what, path, body, status) => {
  const refused = await post(path, body);
  expect(refused.status).toBe(status);
  expect(refused.headers.get('content-type')).toBe('application/problem+json');
});

test('what can not be decoded is told in the words of the codec', async () => {
  const broken = { ...turned, decode: async () => Promise.reject(new Error('key "k9" is missing')) };
  const other = await startCodecServer({ codec: broken, host: '127.0.0.1', port: 0, origins: [] });
  const refused = await fetch(`${other.url}/decode`, { method: 'POST', body: '{"payloads":[]}' });
  expect(await refused.json()).toMatchObject({ detail: 'key "k9" is missing' });
  await other.stop();
});

test('it does not listen where other machines could ask', async () => {
  const exposed = startCodecServer({ codec: turned, host: '0.0.0.0', port: 0, origins: [] });
  await expect(exposed).rejects.toThrow('read everything to anyone on the network');
});
