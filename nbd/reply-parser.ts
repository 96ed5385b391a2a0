// Turns the chunks that a server sends into replies to the requests in flight.
import { NbdProtocolError } from './errors.js';
import { REPLY_HEADER_BYTES, SIMPLE_REPLY_MAGIC } from './protocol.js';

export interface ReplySink {
  /**
   * Takes a reply's header.
   *
   * @returns how many bytes of data follow it
   * @throws NbdProtocolError when no such request is in flight
   */
  expect(cookieHigh: number, cookieLow: number, errno: number): number;
  /** Takes the complete data of the reply last expected: a copy that the sink owns. */
  take(cookieLow: number, errno: number, data: Buffer): void;
}

const EMPTY = Buffer.alloc(0);

export class ReplyParser {
  readonly #sink: ReplySink;
  readonly #header = Buffer.allocUnsafeSlow(REPLY_HEADER_BYTES);
  #headerFilled = 0;
  #data = EMPTY;
  #dataFilled = 0;

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
      if (this.#headerFilled < REPLY_HEADER_BYTES) {
        const copied = chunk.copy(this.#header, this.#headerFilled, at);
        this.#headerFilled += copied;
        at += copied;
        if (this.#headerFilled < REPLY_HEADER_BYTES) return;
        this.#begin();
      }
      const copied = chunk.copy(this.#data, this.#dataFilled, at);
      this.#dataFilled += copied;
      at += copied;
      if (this.#dataFilled === this.#data.length) this.#end();
    }
  }

  #begin(): void {
    const header = this.#header;
    if (header.readUInt32BE(0) !== SIMPLE_REPLY_MAGIC) {
      throw new NbdProtocolError('bad reply magic');
    }
    const errno = header.readUInt32BE(4);
    const length = this.#sink.expect(header.readUInt32BE(8), header.readUInt32BE(12), errno);
    this.#data = length === 0 ? EMPTY : Buffer.allocUnsafeSlow(length);
    this.#dataFilled = 0;
  }

  #end(): void {
    const data = this.#data;
    this.#data = EMPTY;
    this.#headerFilled = 0;
    this.#sink.take(this.#header.readUInt32BE(12), this.#header.readUInt32BE(4), data);
  }
}
