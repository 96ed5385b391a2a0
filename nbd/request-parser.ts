// Turns socket chunks into requests. A payload that lies within one chunk isn't copied.
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
  take(request: NbdRequest): void;
}

export class RequestParser {
  readonly #sink: RequestSink;
  readonly #payloadBytesMax: number;
  readonly #header = Buffer.allocUnsafeSlow(REQUEST_HEADER_BYTES);
  #headerFilled = 0;
  /**
   * A write whose data spans chunks. Its payload is filled as chunks arrive; undefined when the
   * data is being dropped.
   */
  #arriving: NbdRequest | undefined;
  #arrivedBytes = 0;

  constructor(sink: RequestSink, payloadBytesMax: number) {
    this.#sink = sink;
    this.#payloadBytesMax = payloadBytesMax;
  }

  /**
   * Hands over every request that the chunk completes while the sink is ready.
   *
   * @returns the unparsed rest of the chunk if the sink wasn't ready: pass it again before any
   * later chunk
   * @throws NbdProtocolError when the bytes aren't a request: nothing after them can be parsed
   */
  parse(chunk: Buffer): Buffer | undefined {
    let at = 0;
    while (at < chunk.length) {
      if (this.#arriving !== undefined) {
        at += this.#arrive(this.#arriving, chunk, at);
        continue;
      }
      if (!this.#sink.ready()) return chunk.subarray(at);
      if (this.#headerFilled === 0 && chunk.length - at >= REQUEST_HEADER_BYTES) {
        at += REQUEST_HEADER_BYTES + this.#begin(chunk, at, chunk, at + REQUEST_HEADER_BYTES);
        continue;
      }
      const copied = chunk.copy(this.#header, this.#headerFilled, at);
      this.#headerFilled += copied;
      at += copied;
      if (this.#headerFilled === REQUEST_HEADER_BYTES) {
        this.#headerFilled = 0;
        at += this.#begin(this.#header, 0, chunk, at);
      }
    }
    return undefined;
  }

  /** Parses a header. Returns how many bytes of payload it took from the chunk. */
  #begin(header: Buffer, at: number, chunk: Buffer, payloadAt: number): number {
    if (header.readUInt32BE(at) !== REQUEST_MAGIC) throw new NbdProtocolError('bad request magic');
    const type = header.readUInt16BE(at + 6);
    const length = header.readUInt32BE(at + 24);
    const whole = type === Command.write && length <= chunk.length - payloadAt;
    const request: NbdRequest = {
      type,
      flags: header.readUInt16BE(at + 4),
      cookieHigh: header.readUInt32BE(at + 8),
      cookieLow: header.readUInt32BE(at + 12),
      offset: header.readUInt32BE(at + 16) * WORD + header.readUInt32BE(at + 20),
      length,
      payload: type === Command.write ? this.#payload(length, whole, chunk, payloadAt) : undefined,
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
    this.#arrivedBytes = 0;
    return 0;
  }

  #payload(length: number, whole: boolean, chunk: Buffer, at: number): Buffer | undefined {
    if (length > DROPPED_PAYLOAD_BYTES_MAX) throw new NbdProtocolError(`write of ${length} bytes`);
    if (length > this.#payloadBytesMax) return undefined;
    return whole ? chunk.subarray(at, at + length) : Buffer.allocUnsafeSlow(length);
  }

  /** Copies more of a payload. Returns how many bytes it took from the chunk. */
  #arrive(request: NbdRequest, chunk: Buffer, at: number): number {
    const taken = Math.min(request.length - this.#arrivedBytes, chunk.length - at);
    if (request.payload !== undefined) {
      chunk.copy(request.payload, this.#arrivedBytes, at, at + taken);
    }
    this.#arrivedBytes += taken;
    if (this.#arrivedBytes === request.length) {
      this.#arriving = undefined;
      this.#sink.take(request);
    }
    return taken;
  }
}
