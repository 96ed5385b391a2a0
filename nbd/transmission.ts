// Serves one opened export to one client: reads requests, calls the device, sends replies, with
// bounds in both directions.
import type { Socket } from 'node:net';
import type { BlockDevice } from './block-device.js';
import { NbdError } from './errors.js';
import type { NbdLimits } from './limits.js';
import type { MemoryShare, MemoryUser, ServerMemory } from './memory.js';
import { answerOf } from './meta-context.js';
import type { MetaContext, StatusExtent } from './meta-context.js';
import { OutputBatch } from './output-batch.js';
import { Command, CommandFlag } from './protocol.js';
import { SimpleReplies, StructuredReplies } from './replies.js';
import type { ContextStatus, Replies } from './replies.js';
import { RequestParser } from './request-parser.js';
import type { RequestSink } from './request-parser.js';
import { refusalOf } from './request.js';
import type { ExportBounds, NbdRequest } from './request.js';

const EMPTY = Buffer.alloc(0);
/** Memory that a request takes besides its data, in bytes: bounds a flood of tiny ones too. */
const REQUEST_OVERHEAD_BYTES = 2 * 1024;
/** Most extents of one context in one reply: 32 KiB. A client asks again for the rest. */
const EXTENTS_PER_REPLY_MAX = 4_096;

/** The result of a device call: data for a read, nothing for the others. */
type Outcome = Buffer | void;

/** What the handshake agreed on. */
export interface AgreedExport {
  readonly device: BlockDevice;
  readonly structured: boolean;
  /** The chosen contexts, by id. */
  readonly contexts: readonly MetaContext[];
}

export interface TransmissionEvents {
  /** A device threw something that isn't an NbdError. */
  deviceFailed(error: unknown): void;
  /** The client broke the protocol; its connection is being cut. */
  violated(error: unknown): void;
  /** The client is slow while others wait for memory; its connection is being cut. */
  slow(): void;
}

/** Takes over a socket after the handshake. Doesn't close the device. */
export class Transmission implements RequestSink, MemoryUser {
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
  readonly #memory: MemoryShare;
  readonly #contexts: readonly MetaContext[];
  /** Undefined unless structured replies were agreed on. */
  readonly #structured: StructuredReplies | undefined;
  readonly #replies: Replies;
  /** The unparsed rest of the chunk that met a limit. The socket stays paused while it is set. */
  #held: Buffer | undefined;
  /** Times when a payload began to arrive and when answers began to be unread. */
  #arrivingSinceMs: number | undefined;
  #unreadSinceMs: number | undefined;
  #requestsInFlight = 0;
  #bytesInFlight = 0;
  #ending = false;
  #turnScheduled = false;

  constructor(
    socket: Socket,
    agreed: AgreedExport,
    { limits, memory, events }: { limits: NbdLimits; memory: ServerMemory; events: TransmissionEvents },
  ) {
    const { device, structured, contexts } = agreed;
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
      structured,
      hasContexts: contexts.length > 0,
    };
    this.#contexts = contexts;
    this.#parser = new RequestParser(this, this.#bounds.maximumPayloadBytes);
    this.#output = new OutputBatch(socket, () => this.#account());
    this.#structured = structured ? new StructuredReplies(this.#output) : undefined;
    this.#replies = this.#structured ?? new SimpleReplies(this.#output);
    this.#memory = memory.open(this);
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

  get awaitsClientSinceMs(): number | undefined {
    const since = [this.#arrivingSinceMs, this.#unreadSinceMs].filter((time) => time !== undefined);
    return since.length === 0 ? undefined : Math.min(...since);
  }

  get movedBytes(): number {
    const { bytesRead, bytesWritten, writableLength } = this.#socket;
    return bytesRead + bytesWritten - writableLength;
  }

  roomAgain(): void {
    this.#scheduleTurn();
  }

  cut(): void {
    this.#events.slow();
    this.#socket.destroy();
    this.end();
  }

  /** Bytes that the connection holds in memory now. */
  get #heldBytes(): number {
    const requests = this.#requestsInFlight * REQUEST_OVERHEAD_BYTES;
    return this.#bytesInFlight + requests + this.#parser.arrivedBytes + this.#output.unsentBytes;
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

  admits(type: number, length: number): boolean {
    const data = type === Command.read ? Math.min(length, this.#bounds.maximumPayloadBytes) : 0;
    return this.#memory.mayHold(this.#heldBytes + REQUEST_OVERHEAD_BYTES + data);
  }

  mayArrive(bytes: number): boolean {
    return this.#memory.mayHold(this.#heldBytes + bytes);
  }

  take(request: NbdRequest): void {
    this.#memory.endTurn();
    this.#arrivingSinceMs = undefined;
    if (request.type === Command.disconnect) {
      this.end();
      return;
    }
    const refusal = refusalOf(request, this.#bounds);
    if (refusal !== undefined) {
      this.#fail(request, new NbdError(refusal, 'refused by the server'));
      return;
    }
    if (request.type === Command.blockStatus) {
      void this.#answerStatus(request);
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
    await this.#inFlight(request, bytes, async () => this.#succeed(request, await outcome));
  }

  async #answerStatus(request: NbdRequest): Promise<void> {
    const countMax = (request.flags & CommandFlag.requestOne) === 0 ? EXTENTS_PER_REPLY_MAX : 1;
    await this.#inFlight(request, 0, async () => {
      const statuses: ContextStatus[] = [];
      for (const [id, context] of this.#contexts.entries()) {
        const extents: readonly StatusExtent[] = await context.extents(request.offset, request.length, countMax);
        if (extents.length === 0) throw new Error(`context ${context.name} has no extent at ${request.offset}`);
        statuses.push({ id, extents: answerOf(extents, request.length, countMax) });
      }
      this.#structured?.status(request, statuses);
    });
  }

  /** Counts a request and its bytes as in flight until `answer` ends; answers a failure. */
  async #inFlight(request: NbdRequest, bytes: number, answer: () => Promise<void>): Promise<void> {
    this.#requestsInFlight += 1;
    this.#bytesInFlight += bytes;
    try {
      await answer();
    } catch (error) {
      this.#fail(request, error);
    }
    this.#requestsInFlight -= 1;
    this.#bytesInFlight -= bytes;
    this.#scheduleTurn();
  }

  #succeed(request: NbdRequest, outcome: Outcome): void {
    if (request.type !== Command.read) {
      this.#replies.done(request);
      return;
    }
    const data = Buffer.isBuffer(outcome) ? outcome : EMPTY;
    if (data.length !== request.length) {
      const message = `the device read ${data.length} bytes instead of ${request.length}`;
      this.#fail(request, new Error(message));
      return;
    }
    this.#replies.data(request, data);
  }

  #fail(request: NbdRequest, error: unknown): void {
    if (!(error instanceof NbdError)) this.#events.deviceFailed(error);
    this.#replies.failed(request, error);
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
    this.#account();
  }

  /** Tells the memory what the connection holds, and notes since when the client owes something. */
  #account(): void {
    this.#memory.hold(this.#heldBytes);
    const unread = this.#output.unsentBytes > 0;
    if (!unread) this.#unreadSinceMs = undefined;
    else this.#unreadSinceMs ??= performance.now();
    const mayArrive = this.#parser.isArriving && this.#held === undefined;
    if (!mayArrive) this.#arrivingSinceMs = undefined;
    else this.#arrivingSinceMs ??= performance.now();
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
    this.#account();
    if (this.#ending) {
      if (this.#requestsInFlight === 0) {
        this.#memory.close();
        this.#finish();
      }
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
