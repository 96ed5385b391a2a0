// Turns socket chunks into requests. A payload that lies within one chunk isn't copied; one that
// spans chunks takes memory as it arrives, whatever its header promises.
import { NbdProtocolError } from './errors.js';
import { Command, REQUEST_HEADER_BYTES, REQUEST_MAGIC, WORD } from './protocol.js';
import type { NbdRequest } from './request.js';

/**
 * Largest oversized write whose data is read and dropped, so that the client gets an error. A
 * larger one cuts the connection.
 */
const DROPPED_PAYLOAD_BYTES_MAX = 256 * 1024 * 1024;

export interface RequestSink {
  /** Whether the next request may come now. */
  ready(): boolean;
  /** Whether this request may come now: its type and length are known. */
  admits(type: number, length: number): boolean;
  /** Whether the memory for more bytes of a payload may be taken now. */
  mayArrive(bytes: number): boolean;
  take(request: NbdRequest): void;
}

export class RequestParser {
  readonly #sink: RequestSink;
  readonly #payloadBytesMax: number;
  readonly #header = Buffer.allocUnsafeSlow(REQUEST_HEADER_BYTES);
  #headerFilled = 0;
  /** A write whose data spans chunks. */
  #arriving: NbdRequest | undefined;
  /** Its data so far; undefined when the data is being dropped. */
  #pieces: Buffer[] | undefined;
  #arrivedBytes = 0;

  constructor(sink: RequestSink, payloadBytesMax: number) {
    this.#sink = sink;
    this.#payloadBytesMax = payloadBytesMax;
  }

  /**
   * Hands over every request that the chunk completes while the sink takes it.
   *
   * @returns the unparsed rest of the chunk, maybe empty, if the sink didn't take it: pass it again
   * before any later chunk
   * @throws NbdProtocolError when the bytes aren't a request: nothing after them can be parsed
   */
  parse(chunk: Buffer): Buffer | undefined {
    let at = 0;
    while (at < chunk.length || this.#headerFilled === REQUEST_HEADER_BYTES) {
      if (this.#arriving !== undefined) {
        const arrived = this.#arrive(this.#arriving, chunk, at);
        if (arrived === 0) return chunk.subarray(at);
        at += arrived;
        continue;
      }
      if (!this.#sink.ready()) return chunk.subarray(at);
      if (this.#headerFilled === 0 && chunk.length - at >= REQUEST_HEADER_BYTES) {
        const taken = this.#begin(chunk, at, chunk, at + REQUEST_HEADER_BYTES);
        if (taken === undefined) return chunk.subarray(at);
        at += REQUEST_HEADER_BYTES + taken;
        continue;
      }
      const copied = chunk.copy(this.#header, this.#headerFilled, at);
      this.#headerFilled += copied;
      at += copied;
      if (this.#headerFilled < REQUEST_HEADER_BYTES) continue;
      const taken = this.#begin(this.#header, 0, chunk, at);
      if (taken === undefined) return chunk.subarray(at);
      this.#headerFilled = 0;
      at += taken;
    }
    return undefined;
  }

  /** Whether a payload has arrived in part. */
  get isArriving(): boolean {
    return this.#arriving !== undefined;
  }

  /** Bytes of it that are kept. */
  get arrivedBytes(): number {
    return this.#pieces === undefined ? 0 : this.#arrivedBytes;
  }

  /**
   * Parses a header. Returns how many bytes of payload it took from the chunk; undefined if the
   * sink doesn't admit the request now.
   */
  #begin(header: Buffer, at: number, chunk: Buffer, payloadAt: number): number | undefined {
    if (header.readUInt32BE(at) !== REQUEST_MAGIC) throw new NbdProtocolError('bad request magic');
    const type = header.readUInt16BE(at + 6);
    const length = header.readUInt32BE(at + 24);
    if (type === Command.write && length > DROPPED_PAYLOAD_BYTES_MAX)
      throw new NbdProtocolError(`write of ${length} bytes`);
    if (!this.#sink.admits(type, length)) return undefined;
    const whole = type === Command.write && length <= chunk.length - payloadAt;
    const request: NbdRequest = {
      type,
      flags: header.readUInt16BE(at + 4),
      cookieHigh: header.readUInt32BE(at + 8),
      cookieLow: header.readUInt32BE(at + 12),
      offset: header.readUInt32BE(at + 16) * WORD + header.readUInt32BE(at + 20),
      length,
      payload: whole && length <= this.#payloadBytesMax ? chunk.subarray(payloadAt, payloadAt + length) : undefined,
    };
    if (type !== Command.write) {
      this.#sink.take(request);
      return 0;
    }
    if (whole) {
      this.#sink.take(request);
      return length;
    }
    this.#arriving = request;
    this.#pieces = length > this.#payloadBytesMax ? undefined : [];
    this.#arrivedBytes = 0;
    return 0;
  }

  /**
   * Takes more of a payload. Returns how many bytes it took from the chunk: none if there is no
   * memory for them now.
   */
  #arrive(request: NbdRequest, chunk: Buffer, at: number): number {
    const taken = Math.min(request.length - this.#arrivedBytes, chunk.length - at);
    if (this.#pieces !== undefined) {
      if (!this.#sink.mayArrive(taken)) return 0;
      this.#pieces.push(chunk.subarray(at, at + taken));
    }
    this.#arrivedBytes += taken;
    if (this.#arrivedBytes === request.length) {
      const payload = this.#pieces === undefined ? undefined : joined(this.#pieces, request.length);
      this.#arriving = undefined;
      this.#pieces = undefined;
      this.#sink.take({ ...request, payload });
    }
    return taken;
  }
}

function joined(pieces: readonly Buffer[], length: number): Buffer {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const whole = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const piece of pieces) at += piece.copy(whole, at);
  return whole;
}
