// Serves one opened export to one client: requests in, device calls, replies out, with both
// directions bounded.
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

/** What a device call completes with: data for a read, nothing for the others. */
type Outcome = Buffer | void;

export interface TransmissionEvents {
  /** A device threw something that isn't an NbdError. */
  deviceFailed(error: unknown): void;
  /** The client broke the protocol; the connection is being cut. */
  violated(error: unknown): void;
}

/** Takes over a socket whose handshake is done. Doesn't close the device. */
export class Transmission implements RequestSink {
  /**
   * Settles once no request is with the device and none will be; replies may still be on their way
   * out.
   */
  readonly finished: Promise<void>;
  readonly #finish: () => void;
  readonly #socket: Socket;
  readonly #device: BlockDevice;
  readonly #bounds: ExportBounds;
  readonly #limits: NbdLimits;
  readonly #events: TransmissionEvents;
  readonly #parser: RequestParser;
  readonly #output: OutputBatch;
  /** The unparsed rest of the chunk that met a limit; the socket is paused while there is one. */
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
    // It may have closed before there was anybody to hear of it.
    if (socket.destroyed) this.end();
  }

  /** Takes requests: those in the bytes that came during the handshake, and all that follow. */
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
    // What was only gathered doesn't count against the client before it had a chance to read it.
    this.#output.send();
    if (this.#output.unsentBytes < room) return true;
    // With so little waiting, and nothing with the device, no event would ever say that it has
    // become less.
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

  /** Asks the device; a request for zero bytes is nobody's business but the server's. */
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
   * One turn for all that settles in one go: it comes after the promise jobs, so that their replies
   * share a write.
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
