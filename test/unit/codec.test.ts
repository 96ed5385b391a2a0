// The codec between a process and Temporal: its form, its keys, and its settings.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { AesGcmCodec } from '../../control/codec/aes-gcm.js';
import { watchKeys } from '../../control/codec/keys-file.js';
import { payloadFromBytes, payloadToBytes } from '../../control/codec/payload-bytes.js';
import { readCodecSettings } from '../../control/codec/read-codec.js';
import { readablePayloads } from '../../workers/readable-payloads.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'codec-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const key = (fill: number): string => Buffer.alloc(32, fill).toString('base64');
let files = 0;
function keysFile(...keys: readonly (readonly [id: string, key: string])[]): string {
  files += 1;
  const path = join(folder, `keys-${files}.json`);
  writeFileSync(path, JSON.stringify({ keys: keys.map(([id, value]) => ({ id, key: value })) }));
  return path;
}
const codecOf = (...keys: readonly (readonly [string, string])[]) => new AesGcmCodec(watchKeys(keysFile(...keys)));
const plain = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);

test('what is encrypted shows nothing but the key that it takes, and comes back whole', async () => {
  const codec = codecOf(['new', key(1)]);
  const given = [plain({ volume: 'vm-1-disk-0' }), plain('why'), plain(undefined), plain(new Uint8Array([1, 2]))];
  const hidden = await codec.encode(given);
  const again = await codec.encode(given);
  for (const [i, { metadata, data }] of hidden.entries()) {
    expect(Buffer.from(metadata?.['encoding'] ?? []).toString()).toBe('binary/encrypted');
    expect(Buffer.from(metadata?.['encryption-key-id'] ?? []).toString()).toBe('new');
    expect(Buffer.from(data ?? []).toString('latin1')).not.toMatch(/vm-1|why|json/);
    // The same payload twice is not seen to be the same.
    expect(data).not.toEqual(again[i]?.data);
  }
  const shown = await codec.decode(hidden);
  expect(shown.map((payload) => defaultPayloadConverter.fromPayload(payload))).toEqual(
    given.map((payload) => defaultPayloadConverter.fromPayload(payload)),
  );
});

test('keys rotate: the first encrypts, each decrypts its own, and what was in clear passes', async () => {
  const before = codecOf(['old', key(1)]);
  const after = codecOf(['new', key(2)], ['old', key(1)]);
  const kept = await before.encode([plain('kept')]);
  const [shown, clear] = await after.decode([...kept, plain('in clear')]);
  expect(defaultPayloadConverter.fromPayload(shown ?? {})).toBe('kept');
  expect(defaultPayloadConverter.fromPayload(clear ?? {})).toBe('in clear');
  const [fresh] = await after.encode([plain('fresh')]);
  expect(Buffer.from(fresh?.metadata?.['encryption-key-id'] ?? []).toString()).toBe('new');
  await expect(before.decode([fresh ?? {}])).rejects.toThrow('encrypted with key "new", which the file of');
});

test('a payload that was changed is refused, as is another key of its id', async () => {
  const codec = codecOf(['k', key(1)]);
  const [hidden] = await codec.encode([plain('x')]);
  const data = Buffer.from(hidden?.data ?? []);
  data[data.length - 1] = (data.at(-1) ?? 0) ^ 1;
  await expect(codec.decode([{ ...hidden, data }])).rejects.toThrow('it was changed');
  await expect(codec.decode([{ ...hidden, data: Buffer.alloc(3) }])).rejects.toThrow('it was changed');
  await expect(codecOf(['k', key(2)]).decode([hidden ?? {}])).rejects.toThrow('is another one');
});

test('a worker without the codec does not take what is encrypted for a text', async () => {
  const hidden = await codecOf(['k', key(1)]).encode([plain({ volume: 'v' })]);
  await expect(readablePayloads.decode(hidden)).rejects.toThrow('VOLUME_MOVER_CODEC');
});

const plainOf = ({ metadata, data }: Payload) => ({
  metadata: Object.entries(metadata ?? {}).map(([name, value]) => [name, [...value]]),
  data: [...(data ?? [])],
});

interface ProtoPayload {
  encode(payload: Payload): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Payload;
}

test('payloads become bytes that every SDK of Temporal reads, and the other way round', () => {
  const { resolve } = createRequire(import.meta.url);
  const load = createRequire(resolve('@temporalio/common'));
  const proto = load('@temporalio/proto') as { temporal: { api: { common: { v1: { Payload: ProtoPayload } } } } };
  const { Payload: sdk } = proto.temporal.api.common.v1;
  const bytes = fc.uint8Array({ maxLength: 300 });
  const payload = fc.record({
    metadata: fc.dictionary(
      fc.string().filter((name) => name !== '__proto__'),
      bytes,
      { noNullPrototype: true },
    ),
    data: bytes,
  });
  fc.assert(
    fc.property(payload, (given) => {
      // What one has written, the other reads.
      expect(plainOf(payloadFromBytes(sdk.encode(given).finish()))).toEqual(plainOf(given));
      expect(plainOf(sdk.decode(payloadToBytes(given)))).toEqual(plainOf(given));
    }),
  );
  fc.assert(
    fc.property(bytes, (any) => {
      try {
        payloadFromBytes(any);
      } catch (error) {
        expect(String(error)).toContain('no payload');
      }
    }),
  );
});

describe('settings', () => {
  function refusalOf(environment: Record<string, string>): string {
    try {
      readCodecSettings(environment);
    } catch (error) {
      if (error instanceof MoverError && error.code === 'INVALID_REQUEST') return error.message;
      throw error;
    }
    return 'it was accepted';
  }

  test('none means no codec, and names in clear', async () => {
    const { open, hidesNames } = readCodecSettings({ VOLUME_MOVER_CODEC: '' });
    expect(await open()).toBeUndefined();
    expect(hidesNames).toBe(false);
  });

  test('a codec hides names unless told otherwise', () => {
    const given = { VOLUME_MOVER_CODEC: 'aes-gcm', VOLUME_MOVER_CODEC_KEYS_FILE: keysFile(['k', key(1)]) };
    expect(readCodecSettings(given).hidesNames).toBe(true);
    expect(readCodecSettings({ ...given, VOLUME_MOVER_HIDE_NAMES: '0' }).hidesNames).toBe(false);
    expect(readCodecSettings({ VOLUME_MOVER_HIDE_NAMES: '1' }).hidesNames).toBe(true);
  });

  test('a module of the user’s own may be the codec, or make it', async () => {
    const path = join(folder, 'own.mjs');
    writeFileSync(path, 'export const codec = { encode: async (p) => p.slice(1), decode: async (p) => p };\n');
    const codec = await readCodecSettings({ VOLUME_MOVER_CODEC: path }).open();
    expect(await codec?.encode([{}, {}])).toHaveLength(1);
    const maker = join(folder, 'maker.mjs');
    writeFileSync(maker, 'export default async () => ({ encode: async (p) => p, decode: async (p) => p.slice(1) });\n');
    expect(await (await readCodecSettings({ VOLUME_MOVER_CODEC: maker }).open())?.decode([{}])).toHaveLength(0);
  });

  test('a module that is missing, or exports no codec, is refused', async () => {
    await expect(readCodecSettings({ VOLUME_MOVER_CODEC: './none.mjs' }).open()).rejects.toThrow(
      'VOLUME_MOVER_CODEC: neither "aes-gcm" nor a module',
    );
    const path = join(folder, 'empty.mjs');
    writeFileSync(path, 'export const other = 1;\n');
    await expect(readCodecSettings({ VOLUME_MOVER_CODEC: path }).open()).rejects.toThrow('exports no "codec"');
  });

  test.each([
    ['no keys', { VOLUME_MOVER_CODEC: 'aes-gcm' }, 'VOLUME_MOVER_CODEC_KEYS_FILE: must be set'],
    ['keys without a codec', { VOLUME_MOVER_CODEC_KEYS_FILE: 'x' }, 'set VOLUME_MOVER_CODEC=aes-gcm too'],
    ['a word that is no flag', { VOLUME_MOVER_HIDE_NAMES: 'yes' }, 'VOLUME_MOVER_HIDE_NAMES: "1" for yes'],
  ])('%s', (_what, environment, says) => {
    expect(refusalOf(environment as Record<string, string>)).toContain(says);
  });

  test.each([
    ['a short key', [['k', 'AAAA']], '32 random bytes in base64'],
    [
      'an id twice',
      [
        ['k', key(1)],
        ['k', key(2)],
      ],
      'each id only once',
    ],
  ] as const)('a keys file with %s', (_what, keys, says) => {
    const path = keysFile(...(keys as readonly (readonly [string, string])[]));
    expect(refusalOf({ VOLUME_MOVER_CODEC: 'aes-gcm', VOLUME_MOVER_CODEC_KEYS_FILE: path })).toContain(says);
  });
});
