// How answers look on the wire: simple replies, or structured ones if the client asked for them.
import { errnoOf, NbdError } from './errors.js';
import type { StatusExtent } from './meta-context.js';
import type { OutputBatch } from './output-batch.js';
import { Chunk, CHUNK_DONE, CommandFlag, SIMPLE_REPLY_MAGIC, STRUCTURED_REPLY_MAGIC, WORD } from './protocol.js';
import type { NbdRequest } from './request.js';

const SUCCESS = 0;
/** Chunk flags are the upper half of a chunk's second word, above its type. */
const FLAGS_SHIFT = 16;
/** Longest text of an error, in bytes. */
const MESSAGE_BYTES_MAX = 512;
const ID_BYTES = 4;
const EXTENT_BYTES = 8;
/**
 * Unit in which a read's zeroes are found, in bytes. Zeroes are told, not sent: comparing is
 * cheaper than sending. A shorter read is sent as it is.
 */
const ZEROES_STEP_BYTES = 64 * 1024;
const ZEROES = Buffer.alloc(ZEROES_STEP_BYTES);

/** The extents that one chosen context has for a request. */
export interface ContextStatus {
  readonly id: number;
  readonly extents: readonly StatusExtent[];
}

export interface Replies {
  /** Answers a request that has no data to return. */
  done(request: NbdRequest): void;
  /** Answers a read. The data must not change until it has been sent. */
  data(request: NbdRequest, data: Buffer): void;
  failed(request: NbdRequest, error: unknown): void;
}

export class SimpleReplies implements Replies {
  readonly #output: OutputBatch;

  constructor(output: OutputBatch) {
    this.#output = output;
  }

  done(request: NbdRequest): void {
    this.#header(request, SUCCESS);
  }

  data(request: NbdRequest, data: Buffer): void {
    this.#header(request, SUCCESS);
    if (data.length > 0) this.#output.data(data);
  }

  failed(request: NbdRequest, error: unknown): void {
    this.#header(request, errnoOf(error));
  }

  #header({ cookieHigh, cookieLow }: NbdRequest, errno: number): void {
    this.#output.word(SIMPLE_REPLY_MAGIC);
    this.#output.word(errno);
    this.#output.word(cookieHigh);
    this.#output.word(cookieLow);
  }
}

export class StructuredReplies implements Replies {
  readonly #output: OutputBatch;
  readonly #simple: SimpleReplies;

  constructor(output: OutputBatch) {
    this.#output = output;
    this.#simple = new SimpleReplies(output);
  }

  /** Simple: the protocol allows it for all but reads and block status, and it is shorter. */
  done(request: NbdRequest): void {
    this.#simple.done(request);
  }

  data(request: NbdRequest, data: Buffer): void {
    const { length } = data;
    if (length === 0) {
      this.#chunk(request, Chunk.none, true, 0);
      return;
    }
    const whole = length < ZEROES_STEP_BYTES || (request.flags & CommandFlag.df) !== 0;
    let at = 0;
    while (at < length) {
      const zero = !whole && isZeroStep(data, at);
      let end = whole ? length : Math.min(length, at + ZEROES_STEP_BYTES);
      while (end < length && isZeroStep(data, end) === zero) end = Math.min(length, end + ZEROES_STEP_BYTES);
      if (zero) this.#hole(request, at, end - at, end === length);
      else this.#data(request, at, data.subarray(at, end), end === length);
      at = end;
    }
  }

  failed(request: NbdRequest, error: unknown): void {
    // Another error's text is for the log: it may tell a client more than it should know.
    const message = Buffer.from(error instanceof NbdError ? error.reason : '').subarray(0, MESSAGE_BYTES_MAX);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    this.#chunk(request, Chunk.error, true, 4 + length.length + message.length);
    this.#output.word(errnoOf(error));
    this.#output.data(Buffer.concat([length, message]));
  }

  /** Answers block status: one chunk for each chosen context. */
  status(request: NbdRequest, statuses: readonly ContextStatus[]): void {
    for (const [index, { id, extents }] of statuses.entries()) {
      const last = index === statuses.length - 1;
      this.#chunk(request, Chunk.blockStatus, last, ID_BYTES + extents.length * EXTENT_BYTES);
      this.#output.word(id);
      for (const { length, flags } of extents) {
        this.#output.word(length);
        this.#output.word(flags);
      }
    }
  }

  #data(request: NbdRequest, at: number, data: Buffer, last: boolean): void {
    this.#chunk(request, Chunk.offsetData, last, 8 + data.length);
    this.#longWord(request.offset + at);
    this.#output.data(data);
  }

  #hole(request: NbdRequest, at: number, length: number, last: boolean): void {
    this.#chunk(request, Chunk.offsetHole, last, 12);
    this.#longWord(request.offset + at);
    this.#output.word(length);
  }

  #longWord(value: number): void {
    this.#output.word(Math.floor(value / WORD));
    this.#output.word(value % WORD);
  }

  #chunk({ cookieHigh, cookieLow }: NbdRequest, type: number, last: boolean, length: number): void {
    const flags = last ? CHUNK_DONE : 0;
    this.#output.word(STRUCTURED_REPLY_MAGIC);
    this.#output.word(flags * 2 ** FLAGS_SHIFT + type);
    this.#output.word(cookieHigh);
    this.#output.word(cookieLow);
    this.#output.word(length);
  }
}

function isZeroStep(data: Buffer, at: number): boolean {
  const length = Math.min(ZEROES_STEP_BYTES, data.length - at);
  return data.compare(ZEROES, 0, length, at, at + length) === 0;
}
