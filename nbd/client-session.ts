// An export opened by the client: sends requests and matches each reply to its caller.
import type { Socket } from 'node:net';
import type { BlockSizes } from './block-device.js';
import type { NbdClient, WriteOptions, WriteZeroesOptions } from './nbd-client.js';
import type { NegotiatedExport } from './client-handshake.js';
import { codeOf, NbdDisconnected, NbdError, NbdProtocolError } from './errors.js';
import type { StatusExtent } from './meta-context.js';
import { OutputBatch } from './output-batch.js';
import { Chunk, Command, CommandFlag, isErrorChunk, REQUEST_MAGIC, WORD } from './protocol.js';
import { ReplyParser } from './reply-parser.js';
import type { ReplyId, ReplySink } from './reply-parser.js';

/** Time a server may take to close after a disconnect request, once no request is in flight. */
const DISCONNECT_MS_MAX = 5_000;
const LENGTH_MAX = WORD - 1;
/** Command flags are the upper half of a request's second word, above its type. */
const FLAGS_SHIFT = 16;

const EMPTY = Buffer.alloc(0);

interface Pending {
  readonly type: number;
  readonly offset: number;
  /** Bytes of data a successful reply carries. */
  readonly replyBytes: number;
  /** A read's data so far; made when the first of it arrives. */
  data: Buffer;
  arrivedBytes: number;
  readonly extents: Map<string, readonly StatusExtent[]>;
  error: Error | undefined;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

interface Answer {
  readonly data: Buffer;
  readonly extents: ReadonlyMap<string, readonly StatusExtent[]>;
}

export class ClientSession implements NbdClient, ReplySink {
  readonly sizeBytes: number;
  readonly flags: number;
  readonly blockSizes: BlockSizes;
  readonly contexts: readonly string[];
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #output: OutputBatch;
  readonly #parser: ReplyParser;
  /** Keyed by cookie. */
  readonly #pending = new Map<number, Pending>();
  /** Names of the chosen contexts by their ids. */
  readonly #contextNames: ReadonlyMap<number, string>;
  #lastCookie = 0;
  #sendScheduled = false;
  #disconnecting = false;
  #cause: Error | undefined;

  constructor(socket: Socket, negotiated: NegotiatedExport) {
    this.sizeBytes = negotiated.sizeBytes;
    this.flags = negotiated.flags;
    this.blockSizes = negotiated.blockSizes;
    this.#contextNames = negotiated.contexts;
    this.contexts = [...negotiated.contexts.values()];
    this.#socket = socket;
    this.#output = new OutputBatch(socket);
    this.#parser = new ReplyParser(this);
    this.closed = new Promise((resolve) => {
      const closed = (): void => {
        this.#rejectAll();
        resolve();
      };
      if (socket.closed) closed();
      else socket.once('close', closed);
    });
    socket.on('error', (error) => {
      this.#cause ??= error;
    });
    socket.on('data', (chunk) => this.#consume(chunk));
    socket.resume();
  }

  async read(offset: number, length: number): Promise<Buffer> {
    return (await this.#request(Command.read, 0, offset, length)).data;
  }

  async blockStatus(offset: number, length: number): Promise<ReadonlyMap<string, readonly StatusExtent[]>> {
    return (await this.#request(Command.blockStatus, 0, offset, length)).extents;
  }

  async write(offset: number, data: Buffer, options: WriteOptions = {}): Promise<void> {
    await this.#request(Command.write, fuaFlag(options), offset, data.length, data);
  }

  async zeroes(offset: number, length: number, options: WriteZeroesOptions = {}): Promise<void> {
    const noHole = options.noHole === true ? CommandFlag.noHole : 0;
    await this.#request(Command.writeZeroes, fuaFlag(options) | noHole, offset, length);
  }

  async trim(offset: number, length: number, options: WriteOptions = {}): Promise<void> {
    await this.#request(Command.trim, fuaFlag(options), offset, length);
  }

  async flush(): Promise<void> {
    await this.#request(Command.flush, 0, 0, 0);
  }

  disconnect(): Promise<void> {
    if (this.#disconnecting) return this.closed;
    this.#disconnecting = true;
    this.#putRequest(Command.disconnect, 0, 0, 0, 0);
    this.#output.send();
    this.#closeWhenIdle();
    return this.closed;
  }

  simple(id: ReplyId, errno: number): Buffer {
    const pending = this.#pendingOf(id);
    if (errno !== 0) pending.error = errorOf(errno, pending);
    else if (pending.type === Command.blockStatus) throw new NbdProtocolError('block status in a simple reply');
    return errno === 0 ? this.#dataOf(pending, pending.offset, pending.replyBytes) : EMPTY;
  }

  place(id: ReplyId, offset: number, length: number): Buffer {
    return this.#dataOf(this.#pendingOf(id), offset, length);
  }

  chunk(id: ReplyId, type: number, payload: Buffer): void {
    const pending = this.#pendingOf(id);
    if (isErrorChunk(type)) {
      if (payload.length < 6) throw new NbdProtocolError('malformed error chunk');
      pending.error ??= errorOf(
        payload.readUInt32BE(0),
        pending,
        payload.toString('utf8', 6, 6 + payload.readUInt16BE(4)),
      );
    } else if (type === Chunk.offsetHole) {
      if (payload.length !== 12) throw new NbdProtocolError('malformed hole chunk');
      const offset = payload.readUInt32BE(0) * WORD + payload.readUInt32BE(4);
      this.#dataOf(pending, offset, payload.readUInt32BE(8)).fill(0);
    } else if (type === Chunk.blockStatus) this.#takeStatus(pending, payload);
    else if (type !== Chunk.none) throw new NbdProtocolError(`reply chunk of type ${type}`);
  }

  end({ cookieLow }: ReplyId): void {
    const pending = this.#pending.get(cookieLow);
    if (pending === undefined) throw new NbdProtocolError('reply without a request');
    const { error, data, extents } = pending;
    if (error === undefined && pending.arrivedBytes !== pending.replyBytes) {
      throw new NbdProtocolError('a read with bytes missing');
    }
    this.#pending.delete(cookieLow);
    if (error === undefined) pending.resolve({ data, extents });
    else pending.reject(error);
    if (this.#disconnecting) this.#closeWhenIdle();
  }

  #pendingOf({ cookieHigh, cookieLow }: ReplyId): Pending {
    const pending = this.#pending.get(cookieLow);
    if (cookieHigh !== 0 || pending === undefined) {
      throw new NbdProtocolError("reply to a request that isn't under way");
    }
    return pending;
  }

  /** The part of a read's data that a chunk fills. Parts don't overlap, so their sum tells all. */
  #dataOf(pending: Pending, offset: number, length: number): Buffer {
    const at = offset - pending.offset;
    if (at < 0 || length > pending.replyBytes - pending.arrivedBytes || at + length > pending.replyBytes) {
      throw new NbdProtocolError("data that wasn't asked for");
    }
    if (length === 0) return EMPTY;
    if (pending.data.length === 0) pending.data = Buffer.allocUnsafeSlow(pending.replyBytes);
    pending.arrivedBytes += length;
    return pending.data.subarray(at, at + length);
  }

  #takeStatus(pending: Pending, payload: Buffer): void {
    const name =
      payload.length < 12 || payload.length % 8 !== 4 ? undefined : this.#contextNames.get(payload.readUInt32BE(0));
    if (name === undefined || pending.type !== Command.blockStatus)
      throw new NbdProtocolError('malformed block status');
    const extents: StatusExtent[] = [];
    for (let at = 4; at < payload.length; at += 8) {
      const extent = { length: payload.readUInt32BE(at), flags: payload.readUInt32BE(at + 4) };
      if (extent.length === 0) throw new NbdProtocolError('an extent of no bytes');
      extents.push(extent);
    }
    pending.extents.set(name, extents);
  }

  #request(type: number, flags: number, offset: number, length: number, payload?: Buffer): Promise<Answer> {
    if (this.#disconnecting || this.#socket.destroyed) return Promise.reject(this.#disconnected());
    const carriesData = type === Command.read || type === Command.write;
    const lengthMax = carriesData ? Math.min(this.blockSizes.maximum, LENGTH_MAX) : LENGTH_MAX;
    if (!isWithin(offset, Number.MAX_SAFE_INTEGER) || !isWithin(length, lengthMax)) {
      return Promise.reject(new NbdError('EINVAL', `offset ${offset}, length ${length}`));
    }
    return new Promise((resolve, reject) => {
      const replyBytes = type === Command.read ? length : 0;
      const cookie = this.#freeCookie();
      const [data, extents] = [EMPTY, new Map<string, readonly StatusExtent[]>()];
      this.#pending.set(cookie, {
        type,
        offset,
        replyBytes,
        data,
        arrivedBytes: 0,
        extents,
        error: undefined,
        resolve,
        reject,
      });
      this.#putRequest(type, flags, cookie, offset, length);
      if (payload !== undefined && length > 0) this.#output.data(payload);
      this.#scheduleSend();
    });
  }

  #putRequest(type: number, flags: number, cookie: number, offset: number, length: number): void {
    this.#output.word(REQUEST_MAGIC);
    this.#output.word((flags << FLAGS_SHIFT) | type);
    this.#output.word(0);
    this.#output.word(cookie);
    this.#output.word(Math.floor(offset / WORD));
    this.#output.word(offset % WORD);
    this.#output.word(length);
  }

  #freeCookie(): number {
    do {
      this.#lastCookie = (this.#lastCookie + 1) % WORD;
    } while (this.#pending.has(this.#lastCookie));
    return this.#lastCookie;
  }

  /** Sends after the pending promise jobs, so that requests started together share one write. */
  #scheduleSend(): void {
    if (this.#sendScheduled) return;
    this.#sendScheduled = true;
    process.nextTick(() => {
      this.#sendScheduled = false;
      this.#output.send();
    });
  }

  #consume(chunk: Buffer): void {
    try {
      this.#parser.parse(chunk);
    } catch (error) {
      this.#cause = error instanceof Error ? error : new NbdProtocolError(String(error));
      this.#socket.destroy();
    }
  }

  #closeWhenIdle(): void {
    if (this.#pending.size > 0 || this.#socket.closed) return;
    const cut = setTimeout(() => this.#socket.destroy(), DISCONNECT_MS_MAX);
    this.#socket.once('close', () => clearTimeout(cut));
  }

  #rejectAll(): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(this.#disconnected());
  }

  #disconnected(): NbdDisconnected {
    const options = this.#cause === undefined ? {} : { cause: this.#cause };
    return new NbdDisconnected('the connection to the NBD server ended', options);
  }
}

function errorOf(errno: number, { type }: Pending, message = ''): NbdError {
  return new NbdError(codeOf(errno), message === '' ? `request of type ${type} failed` : message);
}

function fuaFlag(options: WriteOptions): number {
  return options.fua === true ? CommandFlag.fua : 0;
}

function isWithin(value: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= max;
}
