// Frames of every kind, at random, and a pair of connected streams.
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createNetServer, type Socket } from 'node:net';
import { once } from 'node:events';
import * as fc from 'fast-check';
import { onTestFinished } from 'vitest';
import { errorCodeSchema } from '../../contracts/errors.js';
import { groupIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { lifeIdSchema, lineageIdSchema, sourceIdSchema } from '../../contracts/lineage.js';
import { type AcceptOptions, acceptStreams } from '../../simulator/stream/accept.js';
import {
  type CloseReason,
  type ConnectionOptions,
  FrameConnection,
  type StreamFrame,
} from '../../simulator/stream/connection.js';
import type { Frame, RawFrame } from '../../simulator/stream/frame.js';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const safe = fc.maxSafeNat();
const time = fc.oneof(fc.maxSafeNat(), fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }));
const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
const place = { handle: u32, session: u32, n: safe };
const numbered = { ...place, epoch: u32, timeMs: time };
const identity = fc.stringMatching(/^[0-9a-f]{32}$/);
const type = <T extends Frame['type']>(name: T): fc.Arbitrary<T> => fc.constant(name);

export const streamFrames: fc.Arbitrary<StreamFrame> = fc.oneof(
  fc.record({ type: type('hello'), splitter: id.map((each) => splitterIdSchema.parse(each)), controlUrl: fc.webUrl() }),
  fc.record({
    type: type('attach'),
    handle: u32,
    volume: id.map((each) => volumeIdSchema.parse(each)),
    sizeBytes: safe,
    epoch: u32,
    session: u32,
    life: identity.map((each) => lifeIdSchema.parse(each)),
    group: id.map((each) => groupIdSchema.parse(each)),
    source: identity.map((each) => sourceIdSchema.parse(each)),
    replaces: fc.boolean(),
    ticket: safe,
  }),
  fc.record(
    {
      type: type('attached'),
      ...place,
      lineage: identity.map((each) => lineageIdSchema.parse(each)),
      base: safe,
      former: identity.map((each) => lifeIdSchema.parse(each)),
      touched: fc.array(fc.tuple(safe, safe)),
      initializing: fc.constant(true as const),
    },
    { requiredKeys: ['type', 'handle', 'session', 'n', 'lineage', 'base'] },
  ),
  fc.record({ type: type('detach'), handle: u32 }),
  fc.record({
    type: type('refused'),
    handle: u32,
    code: fc.constantFrom(...errorCodeSchema.options),
    message: fc.string({ unit: 'grapheme' }),
  }),
  {
    weight: 5,
    arbitrary: fc.record({
      type: type('write'),
      ...numbered,
      offset: safe,
      data: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    }),
  },
  fc.record({ type: type('zeroes'), ...numbered, offset: safe, length: safe }),
  fc.record({ type: type('initBegin'), ...numbered, sinceMs: safe, reason: fc.string({ unit: 'grapheme' }) }),
  fc.record({ type: type('initEnd'), ...numbered }),
  fc.record({ type: type('receipt'), ...place, epoch: u32 }),
  fc.record({ type: type('credit'), handle: u32, grantedBytes: safe, unappliedBytes: safe }),
  fc.record({ type: type('pause'), handle: u32 }),
  fc.record({ type: type('resume'), handle: u32 }),
);

export const frames: fc.Arbitrary<Frame> = fc.oneof(
  { weight: 8, arbitrary: streamFrames },
  fc.record({ type: type('ping') }),
  fc.record({ type: type('pong') }),
);

export function writeFrame(n: number, data: Buffer = Buffer.from(`write ${n}`)): StreamFrame {
  return { type: 'write', handle: 1, session: 1, n, epoch: 1, timeMs: 1_000 + n, offset: n * 4096, data };
}

/** Two ends of one TCP connection on loopback; both destroyed when the test ends. */
export async function socketPair(): Promise<[Socket, Socket]> {
  // As HTTP servers do.
  const server = createNetServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const far = await new Promise<Socket>((resolve) => server.once('connection', resolve));
  server.close();
  onTestFinished(() => {
    near.destroy();
    far.destroy();
  });
  return [near, far];
}

/** A started connection that keeps what it receives. */
export class Recorder {
  readonly connection: FrameConnection;
  readonly frames: StreamFrame[] = [];
  readonly raw: RawFrame[] = [];
  readonly closed: Promise<CloseReason>;
  drains = 0;
  #wake: (() => void)[] = [];

  constructor(connection: FrameConnection, onFrame: (frame: StreamFrame, raw: RawFrame) => void = () => {}) {
    this.connection = connection;
    this.closed = new Promise((resolve) =>
      connection.start({
        onFrame: (frame, raw) => {
          this.frames.push(frame);
          this.raw.push(raw);
          onFrame(frame, raw);
          this.#changed();
        },
        onDrain: () => {
          this.drains += 1;
          this.#changed();
        },
        onClose: resolve,
      }),
    );
  }

  /** Resolves once the condition holds; looked at after each frame and drain. */
  async until(condition: (recorder: this) => boolean): Promise<void> {
    while (!condition(this)) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  #changed(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const each of wake) each();
  }
}

export async function connectedPair(options: ConnectionOptions = {}): Promise<[Recorder, Recorder]> {
  const [near, far] = await socketPair();
  return [new Recorder(new FrameConnection(near, options)), new Recorder(new FrameConnection(far, options))];
}

/** The URL of an HTTP server that accepts streams. */
export async function streamServer(options: AcceptOptions): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(404).end());
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  acceptStreams(server, options);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
