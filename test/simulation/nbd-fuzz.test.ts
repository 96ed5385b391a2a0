// A mutating fuzzer for the NBD server and client: valid dialogues, cut, mixed and spoilt. No
// crash, no growth, and other clients go on. So many dialogues by default, or as long as asked for:
// VOLUME_MOVER_FUZZ_S=600 npx vitest run test/simulation/nbd-fuzz.test.ts
// A run prints its seed; VOLUME_MOVER_SEED runs it again.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { NbdAddress } from '../../nbd/address.js';
import type { BlockDevice } from '../../nbd/block-device.js';
import { connectNbd } from '../../nbd/client.js';
import { createNbdServer } from '../../nbd/server.js';
import { heldBytes } from '../support/held-memory.js';
import { PATIENCE_MS, until } from '../support/until.js';
import { MemoryDevice } from '../unit/nbd-memory-device.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const SIZE_BYTES = 256 * KIB;
/** How long to fuzz the server, s; the client gets a fifth. 0: so many dialogues each. */
const SECONDS = Number(process.env['VOLUME_MOVER_FUZZ_S'] ?? '0');
const DIALOGUES = 5_000;
const SESSIONS = 80;
const SEED = Number(process.env['VOLUME_MOVER_SEED'] ?? String(Date.now() % 1_000_000));
/** Dialogues at the same time. */
const AT_ONCE = 8;
/** Part of the time after which memory must not grow any more. */
const WARM_UP = 0.3;
/** Most bytes that may be held more at the end than after the warm-up: caches, and noise. */
const GROWTH_BYTES_MAX = 12 * MIB;
/** Silence after which a server that spoils answers leaves, ms. */
const SILENCE_MS = 100;
/** All dialogues, ms: far above what they take on a slow machine. */
const TIMEOUT_MS = SECONDS * 2_000 + 2 * PATIENCE_MS;

/** Random numbers from a seed (mulberry32). */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number below `end`. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * end);
  }

  chance(share: number): boolean {
    return this.below(1_000_000) < share * 1_000_000;
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[this.below(from.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}

const NAMES = ['vol', 'slow', 'image', 'missing', '', 'v'.repeat(5_000)];
const CONTEXTS = ['base:allocation', 'base:', 'other:', 'volume-mover:changed-since/p1', 'x'.repeat(300)];
/** Lengths where mistakes would be. */
const EDGES = [0, 1, 27, 28, 4_096, 65_535, 65_536, MIB, 32 * MIB, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function half(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function sized(text: string): Buffer {
  return Buffer.concat([word(Buffer.byteLength(text)), Buffer.from(text)]);
}

function option(number: number, data: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([Buffer.from('IHAVEOPT'), word(number), word(data.length), data]);
}

function anOption(dice: Dice): Buffer {
  const name = dice.pick(NAMES);
  const queries = Array.from({ length: dice.below(4) }, () => sized(dice.pick(CONTEXTS)));
  const information = Buffer.concat([sized(name), half(1), half(dice.below(5))]);
  return dice.pick([
    () => option(3),
    () => option(5),
    () => option(6, information),
    () => option(8),
    () => option(9, Buffer.concat([sized(name), word(queries.length), ...queries])),
    () => option(10, Buffer.concat([sized(name), word(queries.length), ...queries])),
    () => option(dice.below(20), dice.bytes(dice.below(40))),
  ])();
}

function opening(dice: Dice): Buffer {
  const name = dice.pick(NAMES.slice(0, 3));
  if (dice.chance(0.3)) return option(1, Buffer.from(name));
  return option(7, Buffer.concat([sized(name), half(1), half(3)]));
}

function aRequest(dice: Dice): Buffer {
  const type = dice.chance(0.9) ? dice.pick([0, 0, 1, 1, 3, 4, 6, 7]) : dice.below(70_000) % 65_536;
  const length = dice.chance(0.8) ? dice.below(8 * KIB) : dice.pick(EDGES);
  const offset = dice.chance(0.8) ? dice.below(SIZE_BYTES) : dice.pick(EDGES);
  const flags = dice.chance(0.7) ? 0 : dice.below(32);
  const high = dice.chance(0.9) ? 0 : dice.below(2 ** 32);
  const header = [word(0x25609513), half(flags), half(type), dice.bytes(8), word(high), word(offset), word(length)];
  return Buffer.concat([...header, type === 1 ? Buffer.alloc(Math.min(length, 16 * KIB), 1) : Buffer.alloc(0)]);
}

/** A dialogue as a good client has it. */
function dialogue(dice: Dice): Buffer[] {
  const options = Array.from({ length: dice.below(5) }, () => anOption(dice));
  const structured = dice.chance(0.6) ? [option(8)] : [];
  const requests = Array.from({ length: dice.below(30) }, () => aRequest(dice));
  return [word(dice.pick([0, 1, 2, 3, 3, 3, 7])), ...structured, ...options, opening(dice), ...requests];
}

/** Spoils a message: a bit, a byte, a length, a piece. */
function spoilt(dice: Dice, message: Buffer): Buffer {
  const at = dice.below(Math.max(1, message.length));
  const copy = Buffer.from(message);
  return dice.pick([
    () => {
      if (copy.length > 0) copy[at] = (copy[at] ?? 0) ^ (1 << dice.below(8));
      return copy;
    },
    () => {
      if (copy.length >= 4) copy.writeUInt32BE(dice.pick(EDGES), Math.min(at, copy.length - 4));
      return copy;
    },
    () => copy.subarray(0, at),
    () => copy.subarray(at),
    () => Buffer.concat([copy.subarray(0, at), dice.bytes(dice.below(30)), copy.subarray(at)]),
    () => Buffer.concat([copy, copy]),
    () => dice.bytes(dice.below(200)),
  ])();
}

/** Mutates a dialogue: some messages spoilt, left out, repeated or moved. */
function mutated(dice: Dice, messages: readonly Buffer[]): Buffer[] {
  const spoils = dice.pick([0, 0.02, 0.1, 0.5]);
  return messages.flatMap((message) => {
    if (!dice.chance(spoils)) return [message];
    if (dice.chance(0.2)) return [];
    return dice.chance(0.2) ? [dice.pick(messages), message] : [spoilt(dice, message)];
  });
}

/** Sends the bytes in pieces of any size, and reads the answers, some of them or none. */
async function hold(dice: Dice, address: NbdAddress, messages: readonly Buffer[]): Promise<void> {
  const socket = connect(address);
  socket.on('error', () => undefined);
  const closed = once(socket, 'close').catch(() => undefined);
  const reads = dice.below(10);
  if (reads > 0) socket.on('data', () => (reads > 3 ? undefined : socket.pause()));
  let bytes = Buffer.concat(messages);
  while (bytes.length > 0 && !socket.destroyed) {
    const length = dice.chance(0.5) ? bytes.length : 1 + dice.below(Math.min(bytes.length, 100));
    socket.write(bytes.subarray(0, length));
    bytes = bytes.subarray(length);
    if (dice.chance(0.2)) await nextTurn();
  }
  if (dice.chance(0.3)) socket.destroy();
  else {
    socket.end();
    socket
      .removeAllListeners('data')
      .on('data', () => undefined)
      .resume();
    // A server that awaits more bytes closes when its patience ends.
    if (!dice.chance(0.1)) for (let turn = 0; turn < dice.below(20); turn += 1) await nextTurn();
    if (!dice.chance(0.02)) socket.destroy();
  }
  await closed;
}

/** How much of a test is done: of its time, if one was asked for, or of its dialogues. */
function doneShare(ofDialogues: number, beganAtMs: number, seconds: number): number {
  return seconds > 0 ? (performance.now() - beganAtMs) / (seconds * 1_000) : ofDialogues;
}

test(
  'no spoilt dialogue crashes the server, makes it grow, leaves a device open, or disturbs others',
  async () => {
    console.log(`seed ${SEED}, ${SECONDS > 0 ? `${SECONDS} s` : `${DIALOGUES} dialogues`}`);
    let [opened, closed] = [0, 0];
    const counted =
      (make: () => MemoryDevice): (() => BlockDevice) =>
      () => {
        opened += 1;
        const device = make();
        device.close = () => void (closed += 1);
        return device;
      };
    const contexts = {
      list: () => ['base:allocation'],
      open: (name: string) =>
        name === 'base:allocation'
          ? { name, extents: (_offset: number, length: number) => [{ length, flags: 3 }] }
          : undefined,
    };
    const steady = new MemoryDevice({ sizeBytes: SIZE_BYTES });
    const devices: Readonly<Record<string, () => BlockDevice>> = {
      vol: counted(() => new MemoryDevice({ sizeBytes: SIZE_BYTES, contexts })),
      slow: counted(() => new MemoryDevice({ sizeBytes: SIZE_BYTES, contexts, gate: async () => nextTurn() })),
      image: counted(() => new MemoryDevice({ sizeBytes: SIZE_BYTES, readOnly: true, minimumBlockBytes: 512 })),
      steady: () => steady,
    };
    const server = createNbdServer({
      exports: { list: () => Object.keys(devices), open: (name) => devices[name]?.() },
      listen: [{ host: '127.0.0.1', port: 0 }],
      limits: {
        handshakeMsMax: 500,
        lingerMsMax: 200,
        memory: { ownBytesMax: 64 * KIB, sharedBytesMax: 4 * MIB, slowMsMax: 200 },
      },
    });
    const [address] = await server.start();
    if (address === undefined) throw new Error('the server has no address');
    const other = await connectNbd(address, 'steady');
    const beganAtMs = performance.now();
    let [dialogues, warmBytes] = [0, 0];
    const done = (): number => doneShare(dialogues / DIALOGUES, beganAtMs, SECONDS);
    while (done() < 1) {
      await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
          const dice = new Dice(SEED * 1_000_003 + (dialogues += 1));
          await hold(dice, address, mutated(dice, dialogue(dice)));
        }),
      );
      const block = Buffer.alloc(512, dialogues);
      await other.write(0, block);
      expect((await other.read(0, 512)).equals(block)).toBe(true);
      steady.calls.length = 0;
      if (warmBytes === 0 && done() > WARM_UP) warmBytes = await heldBytes();
    }
    await until('every device is closed', PATIENCE_MS, async () => (opened === closed ? true : undefined));
    const grown = (await heldBytes()) - warmBytes;
    console.log(`${dialogues} dialogues, ${opened} devices opened, ${grown} bytes more than after the warm-up`);
    expect(grown).toBeLessThan(GROWTH_BYTES_MAX);
    expect(opened).toBeGreaterThan(dialogues / 20);
    await other.disconnect();
    await server.stop();
  },
  TIMEOUT_MS,
);

/** What a server sends once it has got so many bytes. */
interface Answer {
  readonly afterBytes: number;
  readonly messages: readonly Buffer[];
}

/** A server's side of a whole session, as a good server has it: a read, a flush, a block status. */
function answers(dice: Dice): Answer[] {
  const reply = (of: number, type: number, data: Buffer): Buffer =>
    Buffer.concat([Buffer.from('0003e889045565a9', 'hex'), word(of), word(type), word(data.length), data]);
  const size = Buffer.concat([half(0), word(0), word(SIZE_BYTES), half(0x85)]);
  const chunk = (flags: number, type: number, cookie: number, data: Buffer): Buffer =>
    Buffer.concat([word(0x668e33ef), half(flags), half(type), word(0), word(cookie), word(data.length), data]);
  const extents = Buffer.concat([word(0), word(SIZE_BYTES), word(dice.below(4))]);
  // The client's flags, STRUCTURED_REPLY, SET_META_CONTEXT, GO, and three requests.
  const [asked, chosen, opened, requested] = [20, 66, 93, 177];
  return [
    { afterBytes: 0, messages: [Buffer.concat([Buffer.from('NBDMAGICIHAVEOPT'), half(3)])] },
    { afterBytes: asked, messages: [reply(8, 1, Buffer.alloc(0))] },
    {
      afterBytes: chosen,
      messages: [reply(10, 4, Buffer.concat([word(0), Buffer.from('base:allocation')])), reply(10, 1, Buffer.alloc(0))],
    },
    { afterBytes: opened, messages: [reply(7, 3, size), reply(7, 1, Buffer.alloc(0))] },
    {
      afterBytes: requested,
      messages: [
        chunk(0, 1, 1, Buffer.concat([word(0), word(0), Buffer.alloc(512, 1)])),
        chunk(1, 2, 1, Buffer.concat([word(0), word(512), word(512)])),
        Buffer.concat([word(0x67446698), word(0), word(0), word(2)]),
        chunk(1, 5, 3, extents),
      ],
    },
  ];
}

/** Runs one client against answers; whatever comes, every request settles. */
async function converse(given: readonly Answer[], waitsMs: number): Promise<boolean> {
  const server = createServer((socket: Socket) => {
    let [got, sent] = [0, 0];
    const answer = (): void => {
      for (let next = given[sent]; next !== undefined && next.afterBytes <= got; next = given[sent]) {
        for (const message of next.messages) socket.write(message);
        sent += 1;
      }
      if (sent === given.length) socket.end();
    };
    socket
      .on('error', () => undefined)
      .on('data', (chunk) => {
        got += chunk.length;
        answer();
      });
    // A client that was told nonsense may wait for more: the server leaves.
    socket.setTimeout(waitsMs, () => socket.destroy());
    answer();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    const client = await connectNbd({ host: '127.0.0.1', port }, 'vol', { contexts: ['base:allocation'] });
    const settled = await Promise.allSettled([client.read(0, 1_024), client.flush(), client.blockStatus(0, 4_096)]);
    await client.disconnect();
    return settled.every(({ status }) => status === 'fulfilled');
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    return false;
  } finally {
    server.close();
  }
}

test(
  'no spoilt answer crashes the client or leaves a request without an end',
  async () => {
    const whole = new Dice(SEED);
    expect(await converse(answers(whole), PATIENCE_MS)).toBe(true);
    const beganAtMs = performance.now();
    let sessions = 0;
    while (doneShare(sessions / SESSIONS, beganAtMs, SECONDS / 5) < 1) {
      await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
          const dice = new Dice(SEED * 999_983 + (sessions += 1));
          const spoilt = answers(dice).map((each) => ({ ...each, messages: mutated(dice, each.messages) }));
          await converse(spoilt, SILENCE_MS);
        }),
      );
    }
    console.log(`${sessions} sessions`);
  },
  TIMEOUT_MS,
);
