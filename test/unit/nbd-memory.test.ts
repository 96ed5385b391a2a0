// The memory of an NBD server with hundreds of clients, slow and hostile ones among them: bounded,
// and nobody is starved.
import { expect, test } from 'vitest';
import type { NbdAddress } from '../../nbd/address.js';
import { connectNbd } from '../../nbd/client.js';
import { DEFAULT_NBD_LIMITS } from '../../nbd/limits.js';
import { ServerMemory } from '../../nbd/memory.js';
import type { MemoryUser } from '../../nbd/memory.js';
import { heldBytes } from '../support/held-memory.js';
import { untilTrue } from '../support/until.js';
import { afterThisTest, serve } from './nbd-fixture.js';
import { MemoryDevice } from './nbd-memory-device.js';
import { RawClient, request } from './nbd-raw-client.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const READ = 0;
const WRITE = 1;
const PATIENCE_MS = 60_000;

/** Memory of a server: bytes for each connection alone, and for all of them together. */
const ROOM = { ownBytesMax: 64 * KIB, sharedBytesMax: 16 * MIB };

class User implements MemoryUser {
  awaitsClientSinceMs: number | undefined = undefined;
  movedBytes = 0;
  rooms = 0;
  cuts = 0;
  readonly share;

  constructor(memory: ServerMemory) {
    this.share = memory.open(this);
  }

  /** Holds as much as it is let, up to these bytes. */
  take(bytes: number): boolean {
    if (!this.share.mayHold(bytes)) return false;
    this.share.hold(bytes);
    return true;
  }

  roomAgain(): void {
    this.rooms += 1;
  }

  cut(): void {
    this.cuts += 1;
    this.share.close();
  }
}

test('each connection has its own part, and half of what the others leave', () => {
  const memory = new ServerMemory({ ownBytesMax: 10, sharedBytesMax: 100, slowMsMax: 1_000 });
  const [one, two, three] = [new User(memory), new User(memory), new User(memory)];
  expect(one.take(61)).toBe(false);
  one.share.endTurn();
  expect([one.take(60), two.take(35), three.take(22)]).toEqual([true, true, true]);
  expect(memory.sharedBytes).toBe(50 + 25 + 12);
  for (let more = 0; more < 100; more += 1) expect(new User(memory).take(10)).toBe(true);
  expect(memory.sharedBytes).toBe(50 + 25 + 12);
});

test('a request that is too large waits for the turn, which goes on once what it took is back', () => {
  const memory = new ServerMemory({ ownBytesMax: 10, sharedBytesMax: 100, slowMsMax: 1_000 });
  const [holder, first, second] = [new User(memory), new User(memory), new User(memory)];
  holder.take(60);
  expect([first.take(80), second.take(90)]).toEqual([false, false]);
  expect([first.rooms, second.rooms]).toEqual([1, 0]);
  expect(first.take(80)).toBe(true);
  first.share.endTurn();
  // 120 of 100 are taken: nobody else may exceed it now.
  expect(second.rooms).toBe(0);
  first.share.hold(0);
  expect(second.rooms).toBe(1);
  expect(second.take(90)).toBe(true);
  second.share.close();
  holder.share.close();
  expect(memory.sharedBytes).toBe(0);
});

test('a connection whose client is slow is cut while others wait, and not otherwise', async () => {
  const memory = new ServerMemory({ ownBytesMax: 10, sharedBytesMax: 100, slowMsMax: 400 });
  const [slow, busy, patient] = [new User(memory), new User(memory), new User(memory)];
  slow.take(60);
  busy.take(30);
  patient.take(10);
  const longAgoMs = performance.now() - 1_000;
  slow.awaitsClientSinceMs = longAgoMs;
  patient.awaitsClientSinceMs = longAgoMs;
  const [first, second] = [new User(memory), new User(memory)];
  first.take(80);
  second.take(90);
  await untilTrue('the slow client is cut', PATIENCE_MS, async () => slow.cuts > 0);
  // Its device is slow, or it is within its own part.
  expect([busy.cuts, patient.cuts]).toEqual([0, 0]);
});

/** Opens an export and asks for more than it reads. */
async function reader(address: NbdAddress): Promise<RawClient> {
  const client = await RawClient.opened(address, 'vol');
  client.socket.pause();
  for (let n = 0; n < 8; n += 1) client.send(request({ type: READ, length: MIB }));
  return client;
}

/** Opens an export and promises more than it sends. */
async function promiser(address: NbdAddress, bytes: number): Promise<RawClient> {
  const client = await RawClient.opened(address, 'vol');
  client.send(request({ type: WRITE, length: 32 * MIB }), Buffer.alloc(bytes, 1));
  return client;
}

test('hundreds of clients that read nothing, or send half a write, hold bounded memory and starve nobody', async () => {
  const device = new MemoryDevice({ sizeBytes: 32 * MIB });
  let cut = 0;
  const log = { debug: () => undefined, warn: () => void (cut += 1) };
  const { address } = await serve({ vol: device }, { limits: { memory: { ...ROOM, slowMsMax: 400 } }, log });
  const before = await heldBytes();
  const hostile: RawClient[] = [];
  afterThisTest(() => {
    for (const client of hostile) client.destroy();
  });
  for (let n = 0; n < 120; n += 1) {
    // Some fill what they may have, the others stay below it.
    hostile.push(await promiser(address, n % 15 === 0 ? 2 * MIB : 48 * KIB));
    // Each of them has its turn, and is cut, before the large requests have theirs.
    if (n % 3 === 0) hostile.push(await reader(address));
  }
  const good = await Promise.all(Array.from({ length: 100 }, () => connectNbd(address, 'vol')));
  afterThisTest(async () => void (await Promise.all(good.map(async (client) => client.disconnect()))));
  await Promise.all(
    good.map(async (client, n) => {
      const block = Buffer.alloc(4 * KIB, n + 1);
      for (let round = 0; round < 5; round += 1) {
        await client.write(n * 128 * KIB, block);
        expect((await client.read(n * 128 * KIB, 4 * KIB)).equals(block)).toBe(true);
      }
    }),
  );
  // Without a bound the unread answers alone are 320 MiB.
  expect((await heldBytes()) - before).toBeLessThan(120 * MIB);
  for (const [n, client] of good.slice(0, 3).entries()) {
    const large = Buffer.alloc(8 * MIB, n);
    await client.write(0, large);
    expect((await client.read(0, 8 * MIB)).equals(large)).toBe(true);
  }
  // Those in the way of the large requests are gone.
  expect(cut).toBeGreaterThan(0);
}, 60_000);

test('large writes of many clients at once all end, though together they are more than there is', async () => {
  const device = new MemoryDevice({
    sizeBytes: 32 * MIB,
    gate: async () => new Promise((go) => void setImmediate(go)),
  });
  const { address } = await serve({ vol: device }, { limits: { memory: { ...ROOM, slowMsMax: 30_000 } } });
  const clients = await Promise.all(Array.from({ length: 40 }, () => connectNbd(address, 'vol')));
  afterThisTest(async () => void (await Promise.all(clients.map(async (client) => client.disconnect()))));
  const data = Buffer.alloc(16 * MIB, 3);
  await Promise.all(clients.map(async (client) => client.write(0, data)));
  expect(device.calls.filter((call) => call.startsWith('write'))).toHaveLength(40);
}, 60_000);

test('a server that is full of handshakes lets the longest go for a new client', async () => {
  const { address } = await serve({ vol: new MemoryDevice({ sizeBytes: MIB }) }, { limits: { connectionsMax: 3 } });
  const idle = [await RawClient.greeted(address), await RawClient.greeted(address)];
  const opened = await connectNbd(address, 'vol');
  const [longest, other] = idle;
  const another = await connectNbd(address, 'vol');
  expect(await longest?.untilClosed()).toBe('closed');
  expect(other?.socket.closed).toBe(false);
  await another.disconnect();
  await opened.disconnect();
  other?.destroy();
});

test('the default limits fit the largest request', () => {
  const { memory, payloadBytesMax } = DEFAULT_NBD_LIMITS;
  expect(memory.sharedBytesMax / 2).toBeGreaterThanOrEqual(payloadBytesMax);
});
