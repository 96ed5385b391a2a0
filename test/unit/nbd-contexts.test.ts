// Structured replies and metadata contexts: what a client learns about blocks besides content.
import { describe, expect, test } from 'vitest';
import type { BlockDevice, DeviceContexts } from '../../nbd/block-device.js';
import { connectNbd } from '../../nbd/client.js';
import { NbdError } from '../../nbd/errors.js';
import type { MetaContext, StatusExtent } from '../../nbd/meta-context.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import { readAhead } from '../../nbd/read-ahead.js';
import { afterThisTest, serve } from './nbd-fixture.js';
import { directoryOf, MemoryDevice } from './nbd-memory-device.js';
import { RawClient, request, words } from './nbd-raw-client.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const STRUCTURED = 8;
const [LIST, SET] = [9, 10];
const ACK = 1;
const META_CONTEXT = 4;
const [INVALID, POLICY, UNKNOWN] = [0x80000003, 0x80000002, 0x80000006];
const [READ, BLOCK_STATUS] = [0, 7];
const [DF, REQ_ONE] = [4, 8];

const ALLOCATION = 'base:allocation';
const CHANGED = 'example:changed/since';

/** Contexts whose extents are of these lengths, with flags 0, 1, 0, 1 and so on. */
function contextsOf(lengths: Readonly<Record<string, readonly number[]>>): DeviceContexts {
  const byName = new Map<string, MetaContext>(
    Object.entries(lengths).map(([name, each]) => [
      name,
      {
        name,
        extents: (offset) =>
          extentsFrom(
            each.map((length, index) => ({ length, flags: index % 2 })),
            offset,
          ),
      },
    ]),
  );
  return {
    list: () => [...byName.keys()],
    open: (name) => {
      if (name === 'example:refused') throw new NbdError('EPERM', 'not for you');
      return byName.get(name);
    },
  };
}

function extentsFrom(extents: readonly StatusExtent[], offset: number): StatusExtent[] {
  let skipped = 0;
  return extents.flatMap(({ length, flags }) => {
    const left = Math.min(length, skipped + length - offset);
    skipped += length;
    return left > 0 ? [{ length: left, flags }] : [];
  });
}

function disk(contexts?: DeviceContexts): MemoryDevice {
  return new MemoryDevice({ sizeBytes: 4 * MIB, ...(contexts === undefined ? {} : { contexts }) });
}

async function connected(device: BlockDevice, ...contexts: readonly string[]): Promise<NbdClient> {
  const { address } = await serve({ vol: device });
  const client = await connectNbd(address, 'vol', { contexts });
  afterThisTest(() => client.disconnect());
  return client;
}

function queries(name: string, ...asked: readonly string[]): Buffer {
  const sized = (text: string): Buffer => Buffer.concat([words(Buffer.byteLength(text)), Buffer.from(text)]);
  return Buffer.concat([sized(name), words(asked.length), ...asked.map(sized)]);
}

/** Sends an option and returns all its answers, the last one included. */
async function answers(client: RawClient, option: number, data?: Buffer): Promise<{ reply: number; text: string }[]> {
  client.option(option, data);
  const all: { reply: number; text: string }[] = [];
  for (;;) {
    const { reply, data: answer } = await client.optionReply();
    all.push({ reply, text: reply === META_CONTEXT ? answer.toString('utf8', 4) : answer.toString() });
    if (reply !== META_CONTEXT) return all;
  }
}

describe('block status', () => {
  test('tells the extents of each chosen context, clipped to the request and joined', async () => {
    const contexts = contextsOf({ [ALLOCATION]: [MIB, MIB, 2 * MIB], [CHANGED]: [3 * MIB, MIB] });
    const client = await connected(disk(contexts), ALLOCATION, CHANGED, 'example:none');
    expect(client.contexts).toEqual([ALLOCATION, CHANGED]);
    const status = await client.blockStatus(MIB / 2, 2 * MIB);
    expect(status.get(ALLOCATION)).toEqual([
      { length: MIB / 2, flags: 0 },
      { length: MIB, flags: 1 },
      { length: MIB / 2, flags: 0 },
    ]);
    expect(status.get(CHANGED)).toEqual([{ length: 2 * MIB, flags: 0 }]);
  });

  test('is refused without a context, for no bytes, and past the end', async () => {
    const client = await connected(disk(contextsOf({ [ALLOCATION]: [4 * MIB] })), ALLOCATION);
    await expect(client.blockStatus(0, 0)).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(client.blockStatus(4 * MIB, 1)).rejects.toMatchObject({ code: 'EINVAL' });
    const without = await connected(disk(), ALLOCATION);
    expect(without.contexts).toEqual([]);
    await expect(without.blockStatus(0, 1)).rejects.toMatchObject({ code: 'EINVAL' });
  });

  test("passes on why a context can't answer, and the connection goes on", async () => {
    const failing: MetaContext = {
      name: ALLOCATION,
      extents: async () => Promise.reject(new NbdError('EIO', 'the map is lost')),
    };
    const client = await connected(disk({ list: () => [ALLOCATION], open: () => failing }), ALLOCATION);
    await expect(client.blockStatus(0, MIB)).rejects.toMatchObject({ code: 'EIO', message: 'EIO: the map is lost' });
    expect((await client.read(0, 4)).equals(Buffer.alloc(4))).toBe(true);
  });

  test('answers one extent if one is asked for, and thousands a few thousand at a time', async () => {
    const lengths = Array.from({ length: 8_192 }, () => 512);
    const client = await connected(disk(contextsOf({ [ALLOCATION]: lengths })), ALLOCATION);
    expect((await client.blockStatus(0, 4 * MIB)).get(ALLOCATION)).toHaveLength(4_096);
    const { address } = await serve({ vol: disk(contextsOf({ [ALLOCATION]: lengths })) });
    const raw = await chosen(address, ALLOCATION);
    raw.send(request({ type: BLOCK_STATUS, flags: REQ_ONE, length: MIB }));
    const chunk = await raw.take(20);
    expect([chunk.readUInt16BE(4), chunk.readUInt16BE(6), chunk.readUInt32BE(16)]).toEqual([1, 5, 12]);
    expect(await raw.take(12)).toEqual(words(0, 512, 0));
    raw.destroy();
  });
});

async function chosen(
  address: Parameters<typeof RawClient.greeted>[0],
  ...names: readonly string[]
): Promise<RawClient> {
  const client = await RawClient.greeted(address);
  await answers(client, STRUCTURED);
  await answers(client, SET, queries('vol', ...names));
  client.option(1, Buffer.from('vol'));
  await client.take(10);
  return client;
}

describe('the choice of contexts', () => {
  test('structured replies come first', async () => {
    const { address } = await serve({ vol: disk(contextsOf({ [ALLOCATION]: [MIB] })) });
    const client = await RawClient.greeted(address);
    expect(await answers(client, SET, queries('vol', ALLOCATION))).toMatchObject([{ reply: INVALID }]);
    expect(await answers(client, STRUCTURED, Buffer.from('x'))).toMatchObject([{ reply: INVALID }]);
    expect(await answers(client, STRUCTURED)).toMatchObject([{ reply: ACK }]);
    expect(await answers(client, SET, queries('vol', ALLOCATION))).toEqual([
      { reply: META_CONTEXT, text: ALLOCATION },
      { reply: ACK, text: '' },
    ]);
    client.destroy();
  });

  test('a listing has all names, those of a namespace, or one', async () => {
    const { address } = await serve({ vol: disk(contextsOf({ [ALLOCATION]: [MIB], [CHANGED]: [MIB] })) });
    const client = await RawClient.greeted(address);
    await answers(client, STRUCTURED);
    const listed = async (...asked: readonly string[]): Promise<readonly string[]> =>
      (await answers(client, LIST, queries('vol', ...asked))).slice(0, -1).map(({ text }) => text);
    expect(await listed()).toEqual([ALLOCATION, CHANGED]);
    expect(await listed('base:')).toEqual([ALLOCATION]);
    expect(await listed('example:changed/')).toEqual([CHANGED]);
    expect(await listed('example:', 'base:', ALLOCATION)).toEqual([CHANGED, ALLOCATION]);
    expect(await listed('example:change', 'other:')).toEqual([]);
    client.destroy();
  });

  test('an unknown export, a refused context and malformed data are told apart', async () => {
    const { address } = await serve({ vol: disk(contextsOf({ [ALLOCATION]: [MIB] })) });
    const client = await RawClient.greeted(address);
    await answers(client, STRUCTURED);
    expect(await answers(client, SET, queries('missing', ALLOCATION))).toMatchObject([{ reply: UNKNOWN }]);
    expect(await answers(client, SET, queries('vol', 'example:refused'))).toEqual([
      { reply: POLICY, text: 'EPERM: not for you' },
    ]);
    const whole = queries('vol', ALLOCATION);
    for (const data of [whole.subarray(0, -1), Buffer.concat([whole, Buffer.from('x')]), words(0xffffffff), words(0)])
      expect(await answers(client, SET, data)).toMatchObject([{ reply: INVALID }]);
    client.destroy();
  });

  test('a later choice replaces an earlier one, and a choice for another export counts for nothing', async () => {
    const device = disk(contextsOf({ [ALLOCATION]: [MIB], [CHANGED]: [MIB] }));
    const { address } = await serve({ vol: device, other: disk() });
    for (const [name, again] of [
      ['vol', queries('vol')],
      ['other', queries('other')],
    ] as const) {
      const client = await RawClient.greeted(address);
      await answers(client, STRUCTURED);
      await answers(client, SET, queries('vol', ALLOCATION));
      await answers(client, SET, again);
      client.option(1, Buffer.from(name));
      await client.take(10);
      client.send(request({ type: BLOCK_STATUS, length: 512 }));
      const chunk = await client.take(20);
      expect(chunk.readUInt16BE(6)).toBe(0x8001);
      client.destroy();
    }
  });

  test('asking, choosing and opening cost one opened export', async () => {
    const device = disk(contextsOf({ [ALLOCATION]: [4 * MIB] }));
    let opened = 0;
    const { address } = await serve(
      {},
      {
        exports: {
          ...directoryOf({ vol: device }),
          open: () => {
            opened += 1;
            return device;
          },
        },
      },
    );
    const client = await chosen(address, ALLOCATION);
    expect(opened).toBe(1);
    client.destroy();
  });
});

describe('structured reads', () => {
  test('tell zeroes instead of sending them, unless the client wants one piece', async () => {
    const device = disk(contextsOf({ [ALLOCATION]: [4 * MIB] }));
    device.content.fill(7, 128 * KIB, 192 * KIB);
    device.content.fill(8, 300 * KIB, 301 * KIB);
    const { address } = await serve({ vol: device });
    const client = await connectNbd(address, 'vol', { contexts: [ALLOCATION] });
    afterThisTest(() => client.disconnect());
    const data = await client.read(0, MIB);
    expect(data.equals(device.content.subarray(0, MIB))).toBe(true);

    const raw = await chosen(address, ALLOCATION);
    const chunks = async (flags: number): Promise<readonly string[]> => {
      raw.send(request({ type: READ, flags, length: 512 * KIB }));
      for (const seen: string[] = []; ;) {
        const header = await raw.take(20);
        const length = header.readUInt32BE(16);
        const payload = await raw.take(length);
        const bytes = header.readUInt16BE(6) === 2 ? payload.readUInt32BE(8) : length - 8;
        const kind = header.readUInt16BE(6) === 2 ? 'zeroes' : 'data';
        seen.push(`${kind} ${Number(payload.readBigUInt64BE(0)) / KIB}+${bytes / KIB}`);
        if (header.readUInt16BE(4) === 1) return seen;
      }
    };
    expect(await chunks(0)).toEqual(['zeroes 0+128', 'data 128+64', 'zeroes 192+64', 'data 256+64', 'zeroes 320+192']);
    expect(await chunks(DF)).toEqual(['data 0+512']);
    raw.destroy();
  });

  test('a client that does not ask for them gets simple replies, and DF is refused', async () => {
    const { address } = await serve({ vol: disk() });
    const client = await RawClient.opened(address, 'vol');
    client.send(request({ type: READ, flags: DF, length: 512 }));
    expect((await client.reply()).errno).toBe(22);
    client.send(request({ type: READ, length: 512 }));
    expect((await client.reply()).errno).toBe(0);
    expect((await client.take(512)).equals(Buffer.alloc(512))).toBe(true);
    client.destroy();
  });
});

describe('reading ahead', () => {
  test('leaves out holes, reads the rest once and in order, in pieces', async () => {
    const extents = [MIB / 2, MIB / 4, MIB, MIB / 4, MIB / 4, MIB / 4, MIB + MIB / 2];
    const device = disk({
      list: () => [ALLOCATION],
      open: (name) =>
        name === ALLOCATION
          ? {
              name,
              // Not all at once: the reader asks again.
              extents: (offset) =>
                extentsFrom(
                  extents.map((length, index) => ({ length, flags: index % 2 === 0 ? 3 : 0 })),
                  offset,
                ).slice(0, 2),
            }
          : undefined,
    });
    device.content
      .fill(5, MIB / 2, (3 * MIB) / 4)
      .fill(6, (7 * MIB) / 4, 2 * MIB)
      .fill(7, (9 * MIB) / 4, (5 * MIB) / 2);
    const client = await connected(device, ALLOCATION);
    const seen = Buffer.alloc(4 * MIB);
    const ranges: string[] = [];
    for await (const { offset, data } of readAhead(client, { chunkBytes: 200 * KIB })) {
      data.copy(seen, offset);
      ranges.push(`${offset / KIB}+${data.length / KIB}`);
    }
    expect(seen.equals(device.content)).toBe(true);
    expect(ranges).toEqual(['512+200', '712+56', '1792+200', '1992+56', '2304+200', '2504+56']);
  });

  test('reads everything of an export that tells no holes', async () => {
    const device = disk();
    device.content.fill(9);
    let bytes = 0;
    for await (const { data } of readAhead(await connected(device, ALLOCATION))) bytes += data.length;
    expect(bytes).toBe(4 * MIB);
  });
});
