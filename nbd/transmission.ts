// Serves one opened export to one client: reads requests, calls the device, sends replies, with
// bounds in both directions.
import type { Socket } from 'node:net';
import type { BlockDevice } from './block-device.js';
import { errnoOf, NbdError } from './errors.js';
import type { NbdLimits } from './limits.js';
import { OutputBatch } from './output-batch.js';
import { Command, CommandFlag, SIMPLE_REPLY_MAGIC } from './protocol.js';
import { RequestParser } from './request-parser.js';
import type { RequestSink } from './request-parser.js';
import { refusalOf } from './request.js';
import type { ExportBounds, NbdRequest } from './request.js';

const SUCCESS = 0;
const EMPTY = Buffer.alloc(0);

/** The result of a device call: data for a read, nothing for the others. */
type Outcome = Buffer | void;

export interface TransmissionEvents {
  /** A device threw something that isn't an NbdError. */
  deviceFailed(error: unknown): void;
  /** The client broke the protocol; its connection is being cut. */
  violated(error: unknown): void;
}

/** Takes over a socket after the handshake. Doesn't close the device. */
export class Transmission implements RequestSink {
  /** Settles once no request is or will be with the device. Replies may still be in the socket. */
  readonly finished: Promise<void>;
  readonly #finish: () => void;
  readonly #socket: Socket;
  readonly #device: BlockDevice;
  readonly #bounds: ExportBounds;
  readonly #limits: NbdLimits;
  readonly #events: TransmissionEvents;
  readonly #parser: RequestParser;
  readonly #output: OutputBatch;
  /** The unparsed rest of the chunk that met a limit. The socket stays paused while it is set. */
  #held: Buffer | undefined;
  #requestsInFlight = 0;
  #bytesInFlight = 0;
  #ending = false;
  #turnScheduled = false;

  constructor(socket: Socket, device: BlockDevice, limits: NbdLimits, events: TransmissionEvents) {
    const { promise, resolve } = deferred();
    this.finished = promise;
    this.#finish = resolve;
    this.#socket = socket;
    this.#device = device;
    this.#limits = limits;
    this.#events = events;
    this.#bounds = {
      sizeBytes: device.sizeBytes,
      readOnly: device.readOnly,
      minimumBlockBytes: device.blockSizes.minimum,
      maximumPayloadBytes: Math.min(device.blockSizes.maximum, limits.payloadBytesMax),
    };
    this.#parser = new RequestParser(this, this.#bounds.maximumPayloadBytes);
    this.#output = new OutputBatch(socket);
    socket.on('drain', () => this.#turn());
    socket.once('close', () => this.end());
    // The socket may have closed before this listener was added.
    if (socket.destroyed) this.end();
  }

  /** Takes the requests in the handshake's early bytes, then all that follow. */
  begin(early: Buffer): void {
    this.#socket.on('data', (chunk) => this.#consume(chunk));
    this.#consume(early);
    if (this.#held === undefined) this.#socket.resume();
  }

  /** Takes no further request; those with the device are finished and answered. */
  end(): void {
    this.#ending = true;
    this.#held = undefined;
    this.#scheduleTurn();
  }

  ready(): boolean {
    if (this.#ending) return false;
    if (this.#requestsInFlight >= this.#limits.requestsInFlightMax) return false;
    const room = this.#limits.bytesInFlightMax - this.#bytesInFlight;
    if (this.#output.unsentBytes < room) return true;
    // Gathered output doesn't count against the client before it could read it.
    this.#output.send();
    if (this.#output.unsentBytes < room) return true;
    // With nothing with the device and no drain awaited, no event would resume the reading.
    return this.#bytesInFlight === 0 && !this.#socket.writableNeedDrain;
  }

  take(request: NbdRequest): void {
    if (request.type === Command.disconnect) {
      this.end();
      return;
    }
    const refusal = refusalOf(request, this.#bounds);
    if (refusal !== undefined) {
      this.#fail(request, new NbdError(refusal, 'refused by the server'));
      return;
    }
    let outcome: Outcome | Promise<Outcome>;
    try {
      outcome = this.#execute(request);
    } catch (error) {
      this.#fail(request, error);
      return;
    }
    if (outcome instanceof Promise) void this.#answerLater(request, outcome);
    else this.#succeed(request, outcome);
  }

  /** Calls the device, except for a request of zero bytes, which the server answers itself. */
  #execute(request: NbdRequest): Outcome | Promise<Outcome> {
    const { type, offset, length, flags, payload } = request;
    const fua = (flags & CommandFlag.fua) !== 0;
    if (type === Command.flush) return this.#device.flush();
    if (length === 0) return EMPTY;
    if (type === Command.read) return this.#device.read(offset, length);
    if (payload !== undefined) return this.#device.write(offset, payload, fua);
    const trim = type === Command.trim;
    const mayTrim = trim || (flags & CommandFlag.noHole) === 0;
    return this.#device.zeroes(offset, length, { fua, trim, mayTrim });
  }

  async #answerLater(request: NbdRequest, outcome: Promise<Outcome>): Promise<void> {
    const bytes = request.type === Command.read ? request.length : (request.payload?.length ?? 0);
    this.#requestsInFlight += 1;
    this.#bytesInFlight += bytes;
    try {
      this.#succeed(request, await outcome);
    } catch (error) {
      this.#fail(request, error);
    }
    this.#requestsInFlight -= 1;
    this.#bytesInFlight -= bytes;
    this.#scheduleTurn();
  }

  #succeed(request: NbdRequest, outcome: Outcome): void {
    if (request.type !== Command.read) {
      this.#answer(request, SUCCESS);
      return;
    }
    const data = Buffer.isBuffer(outcome) ? outcome : EMPTY;
    if (data.length !== request.length) {
      const message = `the device read ${data.length} bytes instead of ${request.length}`;
      this.#fail(request, new Error(message));
      return;
    }
    this.#answer(request, SUCCESS);
    if (data.length > 0) this.#output.data(data);
  }

  #fail(request: NbdRequest, error: unknown): void {
    if (!(error instanceof NbdError)) this.#events.deviceFailed(error);
    this.#answer(request, errnoOf(error));
  }

  #answer(request: NbdRequest, errno: number): void {
    this.#output.word(SIMPLE_REPLY_MAGIC);
    this.#output.word(errno);
    this.#output.word(request.cookieHigh);
    this.#output.word(request.cookieLow);
  }

  #consume(chunk: Buffer): void {
    if (this.#ending) return;
    try {
      this.#held = this.#parser.parse(chunk);
    } catch (error) {
      this.#events.violated(error);
      this.#socket.destroy();
      this.end();
      return;
    }
    if (this.#held !== undefined) this.#socket.pause();
    this.#output.send();
  }

  /**
   * Schedules one turn after the pending promise jobs: requests that settle together share a write.
   */
  #scheduleTurn(): void {
    if (this.#turnScheduled) return;
    this.#turnScheduled = true;
    process.nextTick(() => {
      this.#turnScheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    this.#output.send();
    if (this.#ending) {
      if (this.#requestsInFlight === 0) this.#finish();
      return;
    }
    if (this.#held === undefined || !this.ready()) return;
    this.#consume(this.#held);
    if (this.#held === undefined) this.#socket.resume();
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
