// The NBD server against hand-made bytes: what the protocol says about the edges.
import { describe, expect, test } from 'vitest';
import { listNbdExports } from '../../nbd/client.js';
import { open, serve } from './nbd-fixture.js';
import { MemoryDevice } from './nbd-memory-device.js';
import { RawClient, request, words } from './nbd-raw-client.js';

const MIB = 1024 * 1024;
const [EPERM, EINVAL, ENOSPC] = [1, 22, 28];
const READ = 0;
const WRITE = 1;
const DISCONNECT = 2;
const FLUSH = 3;
const TRIM = 4;
const BLOCK_STATUS = 7;
const ZEROES = 6;
const [FUA, NO_HOLE, DONT_FRAGMENT, FAST_ZERO] = [1, 2, 4, 16];

const ACK = 1;
const UNSUPPORTED = 0x80000001;
const INVALID = 0x80000003;
const UNKNOWN = 0x80000006;
const TOO_BIG = 0x80000009;

function goData(name: string, ...infos: readonly number[]): Buffer {
  const count = Buffer.alloc(2);
  count.writeUInt16BE(infos.length);
  const kinds = infos.map((info) => Buffer.from([info >> 8, info & 0xff]));
  return Buffer.concat([words(Buffer.byteLength(name)), Buffer.from(name), count, ...kinds]);
}

describe('handshake', () => {
  test('the greeting offers fixed newstyle and no zeroes', async () => {
    const { address } = await serve({});
    const client = await RawClient.connect(address);
    expect((await client.take(18)).toString('latin1')).toBe('NBDMAGICIHAVEOPT\0\u0003');
    client.destroy();
  });

  test('unknown client flags cut the connection', async () => {
    const { address } = await serve({});
    const client = await RawClient.greeted(address, 0xff);
    expect(await client.untilClosed()).toBe('closed');
  });

  test('EXPORT_NAME pads with 124 zeroes unless both agreed not to', async () => {
    const { address } = await serve({ vol: new MemoryDevice({ sizeBytes: MIB }) });
    const client = await RawClient.greeted(address, 1);
    client.option(1, Buffer.from('vol'));
    client.send(request({ type: FLUSH, cookie: 77n }));
    const answer = await client.take(134);
    expect(answer.readBigUInt64BE()).toBe(BigInt(MIB));
    expect(answer.subarray(10)).toEqual(Buffer.alloc(124));
    expect(await client.reply()).toEqual({ errno: 0, cookie: 77n });
    client.destroy();
  });

  test('EXPORT_NAME of an unknown export, having no error reply, cuts the connection', async () => {
    const { address } = await serve({});
    const client = await RawClient.greeted(address);
    client.option(1, Buffer.from('missing'));
    expect(await client.untilClosed()).toBe('closed');
  });

  test('options that are unknown or not offered are refused, and haggling goes on', async () => {
    const { address } = await serve({});
    const client = await RawClient.greeted(address);
    const [startTls, extendedHeaders, madeUp] = [5, 11, 4_000_000];
    for (const option of [startTls, extendedHeaders, madeUp]) {
      client.option(option, Buffer.from('some data'));
      expect(await client.optionReply()).toMatchObject({ option, reply: UNSUPPORTED });
    }
    client.option(2);
    expect(await client.optionReply()).toMatchObject({ option: 2, reply: ACK });
    expect(await client.untilClosed()).toBe('closed');
  });

  test('malformed options are refused as invalid', async () => {
    const { address } = await serve({ vol: new MemoryDevice({ sizeBytes: MIB }) });
    const client = await RawClient.greeted(address);
    const malformed = [
      Buffer.alloc(0),
      words(0xffffffff, 0),
      words(4, 0x766f6c00),
      Buffer.concat([goData('vol', 3), Buffer.from([1])]),
      goData('vol', 3).subarray(0, -1),
    ];
    for (const data of malformed) {
      client.option(7, data);
      expect(await client.optionReply()).toMatchObject({ option: 7, reply: INVALID });
    }
    client.option(3, Buffer.from('x'));
    expect(await client.optionReply()).toMatchObject({ option: 3, reply: INVALID });
    client.destroy();
  });

  test('an oversize option is dropped and refused as too big, an absurd one cuts the connection', async () => {
    const { address } = await serve({});
    const client = await RawClient.greeted(address);
    client.option(7, Buffer.alloc(200_000));
    expect(await client.optionReply()).toMatchObject({ option: 7, reply: TOO_BIG });
    client.option(6, goData('n'.repeat(4097)));
    expect(await client.optionReply()).toMatchObject({ option: 6, reply: TOO_BIG });
    client.option(6, goData('n'.repeat(4096)));
    expect(await client.optionReply()).toMatchObject({ option: 6, reply: UNKNOWN });
    client.option(7, Buffer.alloc(0), 0xffffffff);
    expect(await client.untilClosed()).toBe('closed');
  });

  test('INFO tells about an export, GO opens it, and both together open it once', async () => {
    const device = new MemoryDevice({ sizeBytes: MIB, description: 'a disk' });
    const { server, address } = await serve({ vol: device });
    const client = await RawClient.greeted(address);
    for (const option of [6, 7]) {
      client.option(option, goData('vol', 1, 2, 3, 999));
      const infos = new Map<number, Buffer>();
      for (let answer = await client.optionReply(); answer.reply !== ACK;) {
        infos.set(answer.data.readUInt16BE(0), answer.data.subarray(2));
        answer = await client.optionReply();
      }
      expect([...infos.keys()].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
      expect(infos.get(1)?.toString()).toBe('vol');
      expect(infos.get(2)?.toString()).toBe('a disk');
      expect(infos.get(3)).toEqual(words(1, 4096, 32 * MIB));
      expect(device.closes).toBe(0);
    }
    client.send(request({ type: FLUSH }));
    expect(await client.reply()).toEqual({ errno: 0, cookie: 1n });
    client.destroy();
    await server.stop();
    expect(device.closes).toBe(1);
  });

  test('an export that was only asked about is closed when another is, and at the end', async () => {
    const [one, other] = [new MemoryDevice({ sizeBytes: MIB }), new MemoryDevice({ sizeBytes: MIB })];
    const { server, address } = await serve({ one, other });
    const client = await RawClient.greeted(address);
    for (const name of ['one', 'other']) {
      client.option(6, goData(name));
      while ((await client.optionReply()).reply !== ACK);
    }
    expect([one.closes, other.closes]).toEqual([1, 0]);
    client.destroy();
    await server.stop();
    expect([one.closes, other.closes]).toEqual([1, 1]);
  });

  test('bad option magic cuts the connection', async () => {
    const { address } = await serve({});
    const client = await RawClient.greeted(address);
    client.send(Buffer.from('IHAVEOPS'), words(3, 0));
    expect(await client.untilClosed()).toBe('closed');
  });

  test('a client that says nothing is cut off at the deadline', async () => {
    const { address } = await serve({}, { limits: { handshakeMsMax: 30 } });
    const client = await RawClient.connect(address);
    expect(await client.untilClosed()).toBe('closed');
  });
});

describe('transmission', () => {
  test.each([
    ['unknown command', { type: 99 }, EINVAL],
    ['block status, not negotiated', { type: BLOCK_STATUS, length: 512 }, EINVAL],
    ['read with an unknown flag', { type: READ, flags: 0x8000, length: 512 }, EINVAL],
    ["read with don't-fragment, not negotiated", { type: READ, flags: DONT_FRAGMENT, length: 1 }, EINVAL],
    ['fast zeroes, not offered', { type: ZEROES, flags: FAST_ZERO, length: 512 }, EINVAL],
    ['no-hole on a trim', { type: TRIM, flags: NO_HOLE, length: 512 }, EINVAL],
    ['flush with a range', { type: FLUSH, offset: 512n, length: 512 }, EINVAL],
    ['flush with FUA', { type: FLUSH, flags: FUA }, 0],
    ['oversize read', { type: READ, length: 0xffffffff }, EINVAL],
    ['read at the end of 64 bits', { type: READ, offset: 0xffffffffffffffffn, length: 1 }, EINVAL],
    ['zeroes at the end of 64 bits', { type: ZEROES, offset: 0xffffffffffffffffn, length: 1 }, ENOSPC],
    ['zeroes longer than the device', { type: ZEROES, length: 0xffffffff }, ENOSPC],
    ['read of nothing', { type: READ, length: 0 }, 0],
    ['read of nothing at the very end', { type: READ, offset: BigInt(MIB), length: 0 }, 0],
    ['zeroes of nothing', { type: ZEROES, length: 0 }, 0],
  ])('%s is answered with its number and the connection lives on', async (_, fields, errno) => {
    const { address } = await serve({ vol: new MemoryDevice({ sizeBytes: MIB }) });
    const client = await RawClient.opened(address, 'vol');
    client.send(request({ ...fields, cookie: 0xfedcba9876543210n }), request({ type: FLUSH, cookie: 2n }));
    expect(await client.reply()).toEqual({ errno, cookie: 0xfedcba9876543210n });
    expect(await client.reply()).toEqual({ errno: 0, cookie: 2n });
    client.destroy();
  });

  test('the data of a refused write is dropped, whatever the reason', async () => {
    const { address } = await serve({
      vol: new MemoryDevice({ sizeBytes: MIB, maximumBlockBytes: 4096 }),
      image: new MemoryDevice({ sizeBytes: MIB, readOnly: true }),
    });
    const cases = [
      { name: 'vol', fields: { offset: BigInt(MIB) }, bytes: 512, errno: ENOSPC },
      { name: 'vol', fields: { flags: 0x80 }, bytes: 512, errno: EINVAL },
      { name: 'vol', fields: {}, bytes: 300_000, errno: EINVAL },
      { name: 'vol', fields: {}, bytes: 0, errno: 0 },
      { name: 'image', fields: {}, bytes: 512, errno: EPERM },
    ];
    for (const { name, fields, bytes, errno } of cases) {
      const client = await RawClient.opened(address, name);
      client.send(request({ type: WRITE, ...fields, length: bytes }), Buffer.alloc(bytes, 0x25));
      client.send(request({ type: FLUSH, cookie: 2n }));
      expect(await client.reply()).toEqual({ errno, cookie: 1n });
      expect(await client.reply()).toEqual({ errno: 0, cookie: 2n });
      client.destroy();
    }
  });

  test('an absurd write cuts that connection only', async () => {
    const { address } = await serve({ vol: new MemoryDevice({ sizeBytes: MIB }) });
    const other = await open(address, 'vol');
    const client = await RawClient.opened(address, 'vol');
    client.send(request({ type: WRITE, length: 0xffffffff }), Buffer.alloc(1000));
    expect(await client.untilClosed()).toBe('closed');
    expect(await other.read(0, 4)).toEqual(Buffer.alloc(4));
  });

  test('bad request magic cuts that connection only, after what came before it was served', async () => {
    const device = new MemoryDevice({ sizeBytes: MIB });
    const { address } = await serve({ vol: device });
    const other = await open(address, 'vol');
    const client = await RawClient.opened(address, 'vol');
    client.send(request({ type: WRITE, length: 4 }), Buffer.from('text'));
    client.send(request({ type: FLUSH, magic: 0x25609514 }));
    expect(await client.untilClosed()).toBe('closed');
    expect((await other.read(0, 4)).toString()).toBe('text');
  });

  test('requests are understood however the bytes are cut up', async () => {
    const device = new MemoryDevice({ sizeBytes: MIB });
    const { address } = await serve({ vol: device });
    const client = await RawClient.opened(address, 'vol');
    client.socket.setNoDelay(true);
    const bytes = Buffer.concat([
      request({ type: WRITE, offset: 3n, length: 10 }),
      Buffer.from('0123456789'),
      request({ type: READ, cookie: 2n, offset: 3n, length: 10 }),
    ]);
    for (const byte of bytes) {
      await new Promise((resolve) => client.socket.write(Buffer.from([byte]), resolve));
      await new Promise((resolve) => void setImmediate(resolve));
    }
    expect(await client.reply()).toEqual({ errno: 0, cookie: 1n });
    expect(await client.reply()).toEqual({ errno: 0, cookie: 2n });
    expect((await client.take(10)).toString()).toBe('0123456789');
    client.destroy();
  });

  test('a disconnect request is obeyed once what came before it is answered', async () => {
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const device = new MemoryDevice({ sizeBytes: MIB, gate: () => finished });
    const { address } = await serve({ vol: device });
    const client = await RawClient.opened(address, 'vol');
    client.send(
      request({ type: FLUSH }),
      request({ type: DISCONNECT, cookie: 2n }),
      request({ type: FLUSH, cookie: 3n }),
    );
    await expect.poll(() => device.calls).toEqual(['flush']);
    expect(device.closes).toBe(0);
    finish();
    expect(await client.reply()).toEqual({ errno: 0, cookie: 1n });
    expect(await client.untilClosed()).toBe('closed');
    await expect.poll(() => device.closes).toBe(1);
    expect(device.calls).toEqual(['flush']);
  });

  test('a device that reads the wrong number of bytes yields EIO, not a broken stream', async () => {
    const device = new MemoryDevice({ sizeBytes: MIB });
    device.read = () => Buffer.alloc(3);
    const { address } = await serve({ vol: device });
    const client = await open(address, 'vol');
    await expect(client.read(0, 512)).rejects.toMatchObject({ code: 'EIO' });
    await client.flush();
  });

  test('a client that vanishes in the middle of a write leaves nothing behind', async () => {
    const device = new MemoryDevice({ sizeBytes: MIB });
    const { address } = await serve({ vol: device });
    const client = await RawClient.opened(address, 'vol');
    client.send(request({ type: WRITE, length: 4096 }), Buffer.alloc(100, 1));
    client.destroy();
    await expect.poll(() => device.closes).toBe(1);
    expect(device.calls).toEqual([]);
    expect(await listNbdExports(address)).toEqual(['vol']);
  });
});

describe('bounds', () => {
  test('no more than the allowed number of requests are with the device at once', async () => {
    const waiting: (() => void)[] = [];
    const gate = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
    const device = new MemoryDevice({ sizeBytes: MIB, gate });
    const { address } = await serve({ vol: device }, { limits: { requestsInFlightMax: 4 } });
    const client = await open(address, 'vol');
    const writes = Array.from({ length: 40 }, (_, n) => client.write(n * 512, Buffer.alloc(512, n)));
    const all = Promise.all(writes);
    for (let answered = 0; answered < 40; answered += 1) {
      await expect.poll(() => waiting.length, { interval: 1 }).toBe(Math.min(4, 40 - answered));
      waiting.shift()?.();
    }
    await all;
  });

  test('no more than the allowed bytes are with the device at once', async () => {
    const waiting: (() => void)[] = [];
    const gate = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
    const device = new MemoryDevice({ sizeBytes: MIB, gate });
    const { address } = await serve({ vol: device }, { limits: { bytesInFlightMax: 8192 } });
    const client = await open(address, 'vol');
    const all = Promise.all(Array.from({ length: 10 }, () => client.write(0, Buffer.alloc(4096))));
    for (let answered = 0; answered < 10; answered += 1) {
      await expect.poll(() => waiting.length, { interval: 1 }).toBe(Math.min(2, 10 - answered));
      waiting.shift()?.();
    }
    await all;
  });

  test('a client that reads no replies is not served without end, and gets them all when it does read', async () => {
    const device = new MemoryDevice({ sizeBytes: MIB });
    const { address } = await serve({ vol: device }, { limits: { bytesInFlightMax: 2 * MIB } });
    const client = await RawClient.opened(address, 'vol');
    const reads = 200;
    const cookies = Array.from({ length: reads }, (_, index) => BigInt(index));
    client.send(...cookies.map((cookie) => request({ type: READ, cookie, length: MIB })));
    const served = await untilSteady(() => device.calls.length);
    expect(served).toBeGreaterThan(0);
    expect(served).toBeLessThan(reads / 2);
    for (const cookie of cookies) {
      expect(await client.reply()).toEqual({ errno: 0, cookie });
      await client.take(MIB);
    }
    client.destroy();
  });
});

/** The value once it is above zero and has kept still for a while. */
async function untilSteady(value: () => number): Promise<number> {
  const STEADY_MS = 200;
  let [last, since] = [value(), Date.now()];
  while (last === 0 || Date.now() - since < STEADY_MS) {
    await new Promise((resolve) => void setTimeout(resolve, 5));
    if (value() !== last) [last, since] = [value(), Date.now()];
  }
  return last;
}
