// An export opened by the client: sends requests and matches each reply to its caller.
import type { Socket } from 'node:net';
import type { BlockSizes } from './block-device.js';
import type { NbdClient, WriteOptions, WriteZeroesOptions } from './nbd-client.js';
import type { NegotiatedExport } from './client-handshake.js';
import { codeOf, NbdDisconnected, NbdError, NbdProtocolError } from './errors.js';
import { OutputBatch } from './output-batch.js';
import { Command, CommandFlag, REQUEST_MAGIC, WORD } from './protocol.js';
import { ReplyParser } from './reply-parser.js';
import type { ReplySink } from './reply-parser.js';

/** Time a server may take to close after a disconnect request, once no request is in flight. */
const DISCONNECT_MS_MAX = 5_000;
const LENGTH_MAX = WORD - 1;
/** Command flags are the upper half of a request's second word, above its type. */
const FLAGS_SHIFT = 16;

interface Pending {
  readonly type: number;
  /** Bytes of data a successful reply carries. */
  readonly replyBytes: number;
  readonly resolve: (data: Buffer) => void;
  readonly reject: (error: Error) => void;
}

export class ClientSession implements NbdClient, ReplySink {
  readonly sizeBytes: number;
  readonly flags: number;
  readonly blockSizes: BlockSizes;
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #output: OutputBatch;
  readonly #parser: ReplyParser;
  /** Keyed by cookie. */
  readonly #pending = new Map<number, Pending>();
  #lastCookie = 0;
  #sendScheduled = false;
  #disconnecting = false;
  #cause: Error | undefined;

  constructor(socket: Socket, negotiated: NegotiatedExport) {
    this.sizeBytes = negotiated.sizeBytes;
    this.flags = negotiated.flags;
    this.blockSizes = negotiated.blockSizes;
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

  read(offset: number, length: number): Promise<Buffer> {
    return this.#request(Command.read, 0, offset, length);
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

  expect(cookieHigh: number, cookieLow: number, errno: number): number {
    const pending = this.#pending.get(cookieLow);
    if (cookieHigh !== 0 || pending === undefined) {
      throw new NbdProtocolError("reply to a request that isn't under way");
    }
    return errno === 0 ? pending.replyBytes : 0;
  }

  take(cookieLow: number, errno: number, data: Buffer): void {
    const pending = this.#pending.get(cookieLow);
    if (pending === undefined) throw new NbdProtocolError('reply without a request');
    this.#pending.delete(cookieLow);
    if (errno === 0) pending.resolve(data);
    else pending.reject(new NbdError(codeOf(errno), `request of type ${pending.type} failed`));
    if (this.#disconnecting) this.#closeWhenIdle();
  }

  #request(type: number, flags: number, offset: number, length: number, payload?: Buffer): Promise<Buffer> {
    if (this.#disconnecting || this.#socket.destroyed) return Promise.reject(this.#disconnected());
    const carriesData = type === Command.read || type === Command.write;
    const lengthMax = carriesData ? Math.min(this.blockSizes.maximum, LENGTH_MAX) : LENGTH_MAX;
    if (!isWithin(offset, Number.MAX_SAFE_INTEGER) || !isWithin(length, lengthMax)) {
      return Promise.reject(new NbdError('EINVAL', `offset ${offset}, length ${length}`));
    }
    return new Promise((resolve, reject) => {
      const replyBytes = type === Command.read ? length : 0;
      const cookie = this.#freeCookie();
      this.#pending.set(cookie, { type, replyBytes, resolve, reject });
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

function fuaFlag(options: WriteOptions): number {
  return options.fua === true ? CommandFlag.fua : 0;
}

function isWithin(value: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= max;
}
