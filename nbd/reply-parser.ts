// Turns the chunks that a server sends into replies to the requests in flight.
import { NbdProtocolError } from './errors.js';
import {
  Chunk,
  CHUNK_DONE,
  CHUNK_HEADER_BYTES,
  REPLY_HEADER_BYTES,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_MAGIC,
  WORD,
} from './protocol.js';

/** Largest chunk that isn't data: an error's text, or the extents of one context. */
const OTHER_CHUNK_BYTES_MAX = 1024 * 1024;
/** Bytes of an offset in front of a chunk's data. */
const OFFSET_BYTES = 8;

export interface ReplyId {
  readonly cookieHigh: number;
  readonly cookieLow: number;
}

export interface ReplySink {
  /**
   * Takes a simple reply's header.
   *
   * @returns where its data goes; empty if none follows
   * @throws NbdProtocolError when no such request is in flight
   */
  simple(id: ReplyId, errno: number): Buffer;
  /**
   * Takes the header of a chunk of data.
   *
   * @returns where the data goes, as many bytes as announced
   * @throws NbdProtocolError when no read of these bytes is in flight
   */
  place(id: ReplyId, offset: number, length: number): Buffer;
  /** Takes another chunk whole. @throws NbdProtocolError */
  chunk(id: ReplyId, type: number, payload: Buffer): void;
  /** The reply is complete. @throws NbdProtocolError */
  end(id: ReplyId): void;
}

interface Arriving {
  readonly into: Buffer;
  /** Called once `into` is full. */
  readonly onArrived: () => void;
}

const EMPTY = Buffer.alloc(0);

export class ReplyParser {
  readonly #sink: ReplySink;
  readonly #header = Buffer.allocUnsafeSlow(CHUNK_HEADER_BYTES + OFFSET_BYTES);
  #headerFilled = 0;
  #headerBytes = REPLY_HEADER_BYTES;
  #arriving: Arriving | undefined;
  #arrivedBytes = 0;

  constructor(sink: ReplySink) {
    this.#sink = sink;
  }

  /**
   * Hands over every reply that the chunk completes.
   * @throws NbdProtocolError when the bytes aren't a reply: nothing after them can be parsed
   */
  parse(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#arriving === undefined) {
        const wanted = this.#headerBytes - this.#headerFilled;
        const copied = chunk.copy(this.#header, this.#headerFilled, at, Math.min(chunk.length, at + wanted));
        this.#headerFilled += copied;
        at += copied;
        if (this.#headerFilled === this.#headerBytes) this.#headerArrived();
        continue;
      }
      const copied = chunk.copy(this.#arriving.into, this.#arrivedBytes, at);
      this.#arrivedBytes += copied;
      at += copied;
      if (this.#arrivedBytes === this.#arriving.into.length) this.#arrived(this.#arriving);
    }
  }

  /** Parses the header as far as it is there, or asks for more of it. */
  #headerArrived(): void {
    const header = this.#header;
    const magic = header.readUInt32BE(0);
    if (magic === SIMPLE_REPLY_MAGIC) {
      const id = { cookieHigh: header.readUInt32BE(8), cookieLow: header.readUInt32BE(12) };
      this.#await(this.#sink.simple(id, header.readUInt32BE(4)), () => this.#sink.end(id));
    } else if (magic === STRUCTURED_REPLY_MAGIC) this.#chunkHeaderArrived();
    else throw new NbdProtocolError('bad reply magic');
  }

  #chunkHeaderArrived(): void {
    const header = this.#header;
    if (this.#headerFilled < CHUNK_HEADER_BYTES) {
      this.#headerBytes = CHUNK_HEADER_BYTES;
      return;
    }
    const done = (header.readUInt16BE(4) & CHUNK_DONE) !== 0;
    const type = header.readUInt16BE(6);
    const id = { cookieHigh: header.readUInt32BE(8), cookieLow: header.readUInt32BE(12) };
    const length = header.readUInt32BE(16);
    const end = (): void => {
      if (done) this.#sink.end(id);
    };
    if (type !== Chunk.offsetData) {
      if (length > OTHER_CHUNK_BYTES_MAX) throw new NbdProtocolError(`reply chunk of ${length} bytes`);
      const payload = length === 0 ? EMPTY : Buffer.allocUnsafeSlow(length);
      this.#await(payload, () => {
        this.#sink.chunk(id, type, payload);
        end();
      });
      return;
    }
    if (length <= OFFSET_BYTES) throw new NbdProtocolError('chunk of data without data');
    if (this.#headerFilled === CHUNK_HEADER_BYTES) {
      this.#headerBytes = CHUNK_HEADER_BYTES + OFFSET_BYTES;
      return;
    }
    const offset = header.readUInt32BE(20) * WORD + header.readUInt32BE(24);
    this.#await(this.#sink.place(id, offset, length - OFFSET_BYTES), end);
  }

  #await(into: Buffer, onArrived: () => void): void {
    this.#arriving = { into, onArrived };
    this.#arrivedBytes = 0;
    if (into.length === 0) this.#arrived(this.#arriving);
  }

  #arrived({ onArrived }: Arriving): void {
    this.#arriving = undefined;
    this.#headerFilled = 0;
    this.#headerBytes = REPLY_HEADER_BYTES;
    onArrived();
  }
}
