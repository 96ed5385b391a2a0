// The NBD client library against the NBD server: what callers and backends rely on.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { connectNbd, listNbdExports } from '../../nbd/client.js';
import { NbdDisconnected, NbdError, NbdRefused } from '../../nbd/errors.js';
import { OptionReply, TransmissionFlag } from '../../nbd/protocol.js';
import { createNbdServer } from '../../nbd/server.js';
import { afterThisTest, open, serve } from './nbd-fixture.js';
import { directoryOf, MemoryDevice } from './nbd-memory-device.js';

const MIB = 1024 * 1024;

function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'it resolved',
    (error: unknown) => error,
  );
}

/** A gate that stays shut until opened. */
function shutGate(): { pass: () => Promise<void>; open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { pass: () => opened, open };
}

describe.each([
  ['at once', undefined],
  ['through promises', () => new Promise<void>((resolve) => void setImmediate(resolve))],
])('with a device that answers %s', (_, gate) => {
  const options = gate === undefined ? {} : { gate };

  test('what was written is read back, across any chunk border', async () => {
    const device = new MemoryDevice({ sizeBytes: 4 * MIB, ...options });
    const { address } = await serve({ vol: device });
    const client = await open(address, 'vol');
    const data = Buffer.alloc(3 * MIB, 'a pattern of 27 characters,');
    await client.write(12_345, data);
    expect(device.content.subarray(12_345, 12_345 + data.length).equals(data)).toBe(true);
    expect((await client.read(12_345, data.length)).equals(data)).toBe(true);
  });

  test('commands and their flags reach the device', async () => {
    const device = new MemoryDevice({ sizeBytes: MIB, ...options });
    const { address } = await serve({ vol: device });
    const client = await open(address, 'vol');
    await client.write(4096, Buffer.alloc(512), { fua: true });
    await client.write(8192, Buffer.alloc(512));
    await client.zeroes(0, 1024, { noHole: true });
    await client.zeroes(0, 2048, { fua: true });
    await client.trim(512, 512);
    await client.flush();
    await client.read(0, 16);
    expect(device.calls).toEqual([
      'write 4096+512 fua',
      'write 8192+512',
      'zeroes 0+1024',
      'zeroes 0+2048 fua mayTrim',
      'zeroes 512+512 trim mayTrim',
      'flush',
      'read 0+16',
    ]);
  });

  test('a device error reaches the caller with its number, anything else thrown as EIO', async () => {
    const device = new MemoryDevice({ sizeBytes: MIB, ...options });
    const { address } = await serve({ vol: device });
    const client = await open(address, 'vol');
    device.failure = new NbdError('ENOSPC', 'full');
    expect(await rejection(client.write(0, Buffer.alloc(8)))).toMatchObject({ code: 'ENOSPC', errno: 28 });
    device.failure = new NbdError('ESHUTDOWN', 'going away');
    expect(await rejection(client.flush())).toMatchObject({ code: 'ESHUTDOWN', errno: 108 });
    device.failure = new Error('a bug');
    expect(await rejection(client.read(0, 8))).toMatchObject({ code: 'EIO', errno: 5 });
    device.failure = undefined;
    expect(await client.read(0, 8)).toEqual(Buffer.alloc(8));
  });

  test('hundreds of requests at once each get their own answer', async () => {
    const device = new MemoryDevice({ sizeBytes: MIB, ...options });
    const { address } = await serve({ vol: device }, { limits: { requestsInFlightMax: 7 } });
    const client = await open(address, 'vol');
    const blocks = Array.from({ length: 500 }, (_, index) => index);
    await Promise.all(blocks.map((block) => client.write(block * 2048, Buffer.alloc(2048, block % 251))));
    const read = await Promise.all(blocks.map((block) => client.read(block * 2048, 2048)));
    const wrong = read.filter((data, block) => !data.equals(Buffer.alloc(2048, block % 251)));
    expect(wrong).toEqual([]);
  });

  test('the device is closed once, after the client disconnects', async () => {
    const device = new MemoryDevice({ sizeBytes: MIB, ...options });
    const { server, address } = await serve({ vol: device });
    const client = await open(address, 'vol');
    const write = client.write(0, Buffer.alloc(4096, 1));
    await client.disconnect();
    await write;
    await client.disconnect();
    await server.stop();
    expect(device.closes).toBe(1);
  });
});

test('a client learns size, flags and block sizes', async () => {
  const { address } = await serve({
    shared: new MemoryDevice({ sizeBytes: MIB, canMultiConn: true, minimumBlockBytes: 512 }),
    image: new MemoryDevice({ sizeBytes: 3 * MIB, readOnly: true, maximumBlockBytes: MIB }),
  });
  const shared = await open(address, 'shared');
  const image = await open(address, 'image');
  expect(shared.sizeBytes).toBe(MIB);
  expect(shared.blockSizes).toEqual({ minimum: 512, preferred: 4096, maximum: 32 * MIB });
  expect(shared.flags & TransmissionFlag.canMultiConn).not.toBe(0);
  expect(shared.flags & TransmissionFlag.readOnly).toBe(0);
  expect(image.sizeBytes).toBe(3 * MIB);
  expect(image.blockSizes.maximum).toBe(MIB);
  expect(image.flags & TransmissionFlag.canMultiConn).toBe(0);
  expect(image.flags & TransmissionFlag.readOnly).not.toBe(0);
});

test('names of exports are listed', async () => {
  const device = new MemoryDevice({ sizeBytes: MIB });
  const { address } = await serve({ 'vm-17-disk-0': device, 'платье/№1': device });
  expect(await listNbdExports(address)).toEqual(['vm-17-disk-0', 'платье/№1']);
});

test('an unknown export is refused as such, and a directory that rejects may say why', async () => {
  const exports = {
    list: () => [],
    open: (name: string) => {
      if (name === 'forbidden') return Promise.reject(new NbdError('EPERM', 'not yours'));
      if (name === 'late') return Promise.reject(new NbdError('ESHUTDOWN', 'closing'));
      if (name === 'broken') throw new Error('no such file');
      return undefined;
    },
  };
  const { address } = await serve({}, { exports });
  const refusals: Record<string, number> = {
    missing: OptionReply.errUnknown,
    broken: OptionReply.errUnknown,
    forbidden: OptionReply.errPolicy,
    late: OptionReply.errShutdown,
  };
  for (const [name, reply] of Object.entries(refusals)) {
    const error = await rejection(connectNbd(address, name));
    expect(error).toBeInstanceOf(NbdRefused);
    expect(error).toMatchObject({ reply });
  }
});

test('requests past the end, unaligned, or writing to a read-only export are refused with their number', async () => {
  const { address } = await serve({
    vol: new MemoryDevice({ sizeBytes: MIB, minimumBlockBytes: 512 }),
    image: new MemoryDevice({ sizeBytes: MIB, readOnly: true }),
  });
  const client = await open(address, 'vol');
  const image = await open(address, 'image');
  expect(await rejection(client.write(MIB - 512, Buffer.alloc(1024)))).toMatchObject({ code: 'ENOSPC' });
  expect(await rejection(client.zeroes(MIB, 512))).toMatchObject({ code: 'ENOSPC' });
  expect(await rejection(client.read(MIB, 512))).toMatchObject({ code: 'EINVAL' });
  expect(await rejection(client.trim(MIB, 512))).toMatchObject({ code: 'EINVAL' });
  expect(await rejection(client.read(Number.MAX_SAFE_INTEGER, 512))).toMatchObject({ code: 'EINVAL' });
  expect(await rejection(client.read(100, 512))).toMatchObject({ code: 'EINVAL' });
  expect(await rejection(client.write(512, Buffer.alloc(100)))).toMatchObject({ code: 'EINVAL' });
  expect(await rejection(image.write(0, Buffer.alloc(512)))).toMatchObject({ code: 'EPERM' });
  expect(await rejection(image.zeroes(0, 512))).toMatchObject({ code: 'EPERM' });
  expect(await rejection(image.trim(0, 512))).toMatchObject({ code: 'EPERM' });
  expect(await image.read(0, 4)).toEqual(Buffer.alloc(4));
});

test('a request larger than the export allows is refused by the client itself', async () => {
  const device = new MemoryDevice({ sizeBytes: MIB, maximumBlockBytes: 65_536 });
  const { address } = await serve({ vol: device });
  const client = await open(address, 'vol');
  expect(await rejection(client.read(0, 65_537))).toMatchObject({ code: 'EINVAL' });
  expect(await rejection(client.write(-1, Buffer.alloc(1)))).toMatchObject({ code: 'EINVAL' });
  await client.zeroes(0, MIB);
  expect(device.calls).toEqual([`zeroes 0+${MIB} mayTrim`]);
});

test('a lost connection rejects everything in flight, and later requests, with NbdDisconnected', async () => {
  const gate = shutGate();
  const device = new MemoryDevice({ sizeBytes: MIB, gate: gate.pass });
  const { server, address } = await serve({ vol: device }, { limits: { lingerMsMax: 50 } });
  const client = await open(address, 'vol');
  const inFlight = [client.read(0, 512), client.write(0, Buffer.alloc(512)), client.flush()];
  const rejections = Promise.all(inFlight.map(rejection));
  await expect.poll(() => device.calls.length).toBe(3);
  const stopped = server.stop();
  for (const error of await rejections) expect(error).toBeInstanceOf(NbdDisconnected);
  expect(await rejection(client.flush())).toBeInstanceOf(NbdDisconnected);
  expect(device.closes).toBe(0);
  gate.open();
  await stopped;
  expect(device.closes).toBe(1);
});

test('stopping the server lets requests under way be answered', async () => {
  const gate = shutGate();
  const device = new MemoryDevice({ sizeBytes: MIB, gate: gate.pass });
  const { server, address } = await serve({ vol: device });
  const client = await open(address, 'vol');
  const write = client.write(0, Buffer.alloc(512, 9));
  await expect.poll(() => device.calls.length).toBe(1);
  const stopped = server.stop();
  gate.open();
  await write;
  await stopped;
  await client.closed;
  expect(device.content[0]).toBe(9);
});

test('disconnecting lets requests under way finish', async () => {
  const gate = shutGate();
  const device = new MemoryDevice({ sizeBytes: MIB, gate: gate.pass });
  const { address } = await serve({ vol: device });
  const client = await open(address, 'vol');
  const write = client.write(0, Buffer.alloc(512, 9));
  await expect.poll(() => device.calls.length).toBe(1);
  const disconnected = client.disconnect();
  expect(await rejection(client.read(0, 1))).toBeInstanceOf(NbdDisconnected);
  gate.open();
  await write;
  await disconnected;
});

test('aborting while connecting rejects with the reason of the signal', async () => {
  const silent = createServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  afterThisTest(() => void silent.close());
  const bound = silent.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  const reason = new Error('changed my mind');
  const abort = new AbortController();
  const connecting = rejection(connectNbd({ host: '127.0.0.1', port: bound.port }, 'vol', { signal: abort.signal }));
  await once(silent, 'connection');
  abort.abort(reason);
  expect(await connecting).toBe(reason);
  const aborted = connectNbd({ host: '127.0.0.1', port: 1 }, 'vol', { signal: abort.signal });
  expect(await rejection(aborted)).toBe(reason);
});

test('connecting where nobody listens rejects with the error of the system', async () => {
  const { server, address } = await serve({});
  await server.stop();
  expect(await rejection(connectNbd(address, 'vol'))).toMatchObject({ code: 'ECONNREFUSED' });
});

test('connections above the limit are closed, and the others keep working', async () => {
  const device = new MemoryDevice({ sizeBytes: MIB });
  const { address } = await serve({ vol: device }, { limits: { connectionsMax: 1 } });
  const client = await open(address, 'vol');
  expect(await rejection(connectNbd(address, 'vol'))).toBeInstanceOf(Error);
  await client.write(0, Buffer.alloc(512));
});

describe('life cycle', () => {
  test('starting and stopping may be repeated, and a stopped server stays stopped', async () => {
    const { server, address } = await serve({});
    expect(await server.start()).toEqual([address]);
    await Promise.all([server.stop(), server.stop()]);
    await server.stop();
    expect(await rejection(server.start())).toBeInstanceOf(Error);
  });

  test('a start that failed binds nothing and may be tried again', async () => {
    const { server: other, address: taken } = await serve({});
    const folder = await mkdtemp(join(tmpdir(), 'nbd-'));
    afterThisTest(() => rm(folder, { recursive: true }));
    const path = join(folder, 'vol.sock');
    const server = createNbdServer({ exports: directoryOf({}), listen: [{ path }, taken] });
    afterThisTest(() => server.stop());
    expect(await rejection(server.start())).toMatchObject({ code: 'EADDRINUSE' });
    expect(await rejection(access(path))).toMatchObject({ code: 'ENOENT' });
    await other.stop();
    expect(await server.start()).toEqual([{ path }, taken]);
  });

  test('a socket file that a killed server left behind is replaced, one in use is not', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nbd-'));
    afterThisTest(() => rm(folder, { recursive: true }));
    const path = join(folder, 'vol.sock');
    const device = new MemoryDevice({ sizeBytes: MIB });
    await leaveSocketFileBehind(path);
    const { address } = await serve({ vol: device }, { listen: [{ path }] });
    await open(address, 'vol');
    const second = createNbdServer({ exports: directoryOf({}), listen: [{ path }] });
    expect(await rejection(second.start())).toMatchObject({ code: 'EADDRINUSE' });
  });
});

/** What kill -9 leaves: the file of a socket that nobody listens on. */
async function leaveSocketFileBehind(path: string): Promise<void> {
  const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
  const child = spawn(process.execPath, ['-e', script, path]);
  await once(child, 'exit');
  await access(path);
}
