// Frames over a byte stream in both directions: batched writes, flow control, and detection of a
// dead peer.
import type { Duplex } from 'node:stream';
import { MoverError } from '../../contracts/errors.js';
import { FrameDecoder, type ReceivedFrame } from './decoder.js';
import { encodeFrame } from './encode.js';
import type { Frame, PingFrame, PongFrame, RawFrame } from './frame.js';
import { withHandle } from './header.js';
import { Heartbeat } from './heartbeat.js';
import {
  CLOSE_GRACE_MS,
  HIGH_WATER_BYTES_DEFAULT,
  PING_EVERY_MS_DEFAULT,
  SILENCE_MS_MAX_DEFAULT,
  UNSENT_BYTES_MAX,
} from './limits.js';

/** Frames that reach a connection's user. */
export type StreamFrame = Exclude<Frame, PingFrame | PongFrame>;

/**
 * Who ended a connection. `error` gives the reason when neither side meant to: UNREACHABLE (broken
 * or silent), or what was wrong with a frame.
 */
export type CloseReason = { readonly by: 'here' | 'peer' } | { readonly by: 'fault'; readonly error: MoverError };

export interface ConnectionHandlers {
  /**
   * Takes a frame. `raw` is the same frame as received, for `forward`. An exception ends the
   * connection and becomes its fault.
   */
  readonly onFrame: (frame: StreamFrame, raw: RawFrame) => void;
  /**
   * Tells a sender to go on after `send` or `forward` returned false: the unsent bytes have been
   * handed to the system.
   */
  readonly onDrain?: (() => void) | undefined;
  /** Called once, whatever ended the connection; no other handler is called afterwards. */
  readonly onClose: (reason: CloseReason) => void;
}

export interface ConnectionOptions {
  readonly highWaterBytes?: number | undefined;
  readonly pingEveryMs?: number | undefined;
  readonly silenceMsMax?: number | undefined;
}

export class FrameConnection {
  readonly #stream: Duplex;
  readonly #highWaterBytes: number;
  readonly #decoder = new FrameDecoder();
  readonly #heartbeat: Heartbeat;
  #handlers: ConnectionHandlers | undefined;
  /** Received frames; those from `#next` on are held back, as reading was paused within a chunk. */
  #received: readonly ReceivedFrame[] = [];
  #next = 0;
  #handingOver = false;
  #paused = false;
  #corked = false;
  /** Whether a sender was told to wait. */
  #full = false;
  /**
   * The reason to end, set once the connection is to end. From then on it sends nothing and hands
   * over no frame.
   */
  #reason: CloseReason | undefined;
  #closed = false;
  #grace: NodeJS.Timeout | undefined;

  /** Takes over the stream. Reads nothing before `start`: no frame arrives without handlers. */
  constructor(stream: Duplex, options: ConnectionOptions = {}) {
    this.#stream = stream;
    // A lower mark than the stream's own would get no drain event.
    this.#highWaterBytes = Math.max(options.highWaterBytes ?? HIGH_WATER_BYTES_DEFAULT, stream.writableHighWaterMark);
    this.#heartbeat = new Heartbeat({
      pingEveryMs: options.pingEveryMs ?? PING_EVERY_MS_DEFAULT,
      silenceMsMax: options.silenceMsMax ?? SILENCE_MS_MAX_DEFAULT,
      isDeaf: () => this.#paused || this.#handlers === undefined,
      onPing: () => this.#ping(),
      onSilent: () => this.#fail(new MoverError('UNREACHABLE', 'The other side of the stream is silent.')),
    });
    stream.on('error', (cause) =>
      this.#fail(new MoverError('UNREACHABLE', `The stream broke: ${cause.message}`, { cause })),
    );
    stream.on('end', () => this.#endedByPeer());
    stream.on('close', () => this.#finish());
    stream.on('drain', () => {
      if (!this.#full || this.#reason !== undefined) return;
      this.#full = false;
      this.#handlers?.onDrain?.();
    });
  }

  /** Begins reading. Call it once. */
  start(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
    this.#stream.on('data', (chunk: Buffer) => this.#read(chunk));
    if (this.#closed) queueMicrotask(() => handlers.onClose(this.#reason ?? cutOff()));
  }

  /**
   * Sends a frame, in order. A write's data must not change until it is sent.
   * @returns false when the sender should wait for `onDrain`, and when the connection is ending
   * (the frame is then not sent)
   * @throws RangeError for a number that doesn't fit its field
   */
  send(frame: StreamFrame): boolean {
    return this.#write(encodeFrame(frame));
  }

  /**
   * Sends a received frame on unchanged, or under another handle. The payload is neither copied nor
   * checksummed again.
   */
  forward({ header, payload }: RawFrame, handle?: number): boolean {
    const sent = handle === undefined ? header : withHandle(header, handle);
    return this.#write(payload.length === 0 ? [sent] : [sent, payload]);
  }

  /** Stops reading and handing over frames, at once. */
  pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#handlers === undefined) return;
    this.#handOver();
    if (!this.#paused) this.#stream.resume();
  }

  /** Sends what is left, then ends. Drops frames that still arrive. Safe to call twice. */
  close(): void {
    this.#end({ by: 'here' });
  }

  #read(chunk: Buffer): void {
    this.#heartbeat.heard();
    if (this.#reason !== undefined) return;
    try {
      const frames = this.#decoder.push(chunk);
      this.#received = this.#next < this.#received.length ? [...this.#received.slice(this.#next), ...frames] : frames;
      this.#next = 0;
    } catch (error) {
      this.#fail(asMoverError(error));
    }
    this.#handOver();
  }

  #handOver(): void {
    // A handler may pause and resume: the loop that called it continues by itself.
    if (this.#handingOver) return;
    this.#handingOver = true;
    try {
      while (!this.#paused && this.#reason === undefined) {
        const received = this.#received[this.#next];
        if (received === undefined) break;
        this.#next += 1;
        this.#dispatch(received);
      }
    } catch (error) {
      this.#fail(asMoverError(error));
    } finally {
      this.#handingOver = false;
    }
  }

  #dispatch({ frame, raw }: ReceivedFrame): void {
    if (frame.type === 'ping') this.#write(encodeFrame({ type: 'pong' }));
    else if (frame.type !== 'pong') this.#handlers?.onFrame(frame, raw);
  }

  /** Writes buffers. All writes of one tick go to the system together. */
  #write(buffers: readonly Buffer[]): boolean {
    if (this.#reason !== undefined) return false;
    if (!this.#corked) {
      this.#corked = true;
      this.#stream.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#stream.uncork();
      });
    }
    for (const buffer of buffers) this.#stream.write(buffer);
    const unsentBytes = this.#stream.writableLength;
    if (unsentBytes > UNSENT_BYTES_MAX)
      this.#fail(new MoverError('UNREACHABLE', `The other side reads too slowly: ${unsentBytes} bytes are unsent.`));
    if (unsentBytes >= this.#highWaterBytes) this.#full = true;
    return !this.#full;
  }

  #ping(): void {
    // Unsent data shows life as well; a ping behind it would only lengthen the queue.
    if (this.#stream.writableLength === 0) this.#write(encodeFrame({ type: 'ping' }));
  }

  #endedByPeer(): void {
    if (this.#decoder.atBoundary) this.#end({ by: 'peer' });
    else this.#fail(new MoverError('UNREACHABLE', 'The stream ended in the middle of a frame.'));
  }

  #end(reason: CloseReason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#heartbeat.stop();
    this.#stream.end();
    // Incoming data is read and dropped: unread, it would hide the peer's end.
    this.#stream.resume();
    this.#grace = setTimeout(() => this.#stream.destroy(), CLOSE_GRACE_MS);
  }

  #fail(error: MoverError): void {
    this.#reason ??= { by: 'fault', error };
    this.#stream.destroy();
  }

  #finish(): void {
    this.#closed = true;
    this.#heartbeat.stop();
    clearTimeout(this.#grace);
    this.#reason ??= cutOff();
    this.#handlers?.onClose(this.#reason);
  }
}

function cutOff(): CloseReason {
  return { by: 'fault', error: new MoverError('UNREACHABLE', 'The stream was cut off.') };
}

function asMoverError(error: unknown): MoverError {
  return error instanceof MoverError
    ? error
    : new MoverError('INTERNAL', 'Handling a frame failed for an unforeseen reason.', { cause: error });
}
