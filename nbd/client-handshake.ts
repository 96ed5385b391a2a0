// The client's side of fixed newstyle option haggling.
import type { Socket } from 'node:net';
import type { BlockSizes } from './block-device.js';
import { NbdProtocolError, NbdRefused } from './errors.js';
import {
  DEFAULT_BLOCK_SIZES,
  EXPORT_NAME_PADDING_BYTES,
  HandshakeFlag,
  Info,
  INIT_MAGIC,
  isErrorReply,
  MAX_NAME_BYTES,
  Option,
  OPTION_MAGIC,
  OPTION_REPLY_HEADER_BYTES,
  OPTION_REPLY_MAGIC,
  OptionReply,
} from './protocol.js';
import type { Certificates } from './certificates.js';
import { SocketReader } from './socket-reader.js';
import { useTls } from './tls.js';

/** Largest option reply: the longest name and the longest description, with room. */
const REPLY_BYTES_MAX = 4 * MAX_NAME_BYTES;
/** Most exports in one listing; an endless listing would exhaust the client's memory. */
const LISTED_EXPORTS_MAX = 1_000_000;

const NO_CONTEXTS: ReadonlyMap<number, string> = new Map();

export interface NegotiatedExport {
  readonly sizeBytes: number;
  /** `TransmissionFlag` bits. */
  readonly flags: number;
  readonly blockSizes: BlockSizes;
  /** Names of the contexts that the server has, by their ids. */
  readonly contexts: ReadonlyMap<number, string>;
}

interface OptionAnswer {
  readonly reply: number;
  readonly data: Buffer;
}

export class ClientHandshake {
  #socket: Socket;
  #reader: SocketReader;
  #padded = true;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#reader = new SocketReader(socket);
  }

  /**
   * Agrees on the handshake's flags.
   * @throws NbdProtocolError unless the server speaks fixed newstyle; NbdDisconnected
   */
  async greet(): Promise<void> {
    const greeting = await this.#reader.take(18);
    const magic = Buffer.concat([INIT_MAGIC, OPTION_MAGIC]);
    if (!greeting.subarray(0, 16).equals(magic)) {
      throw new NbdProtocolError("the server doesn't speak newstyle NBD");
    }
    const offered = greeting.readUInt16BE(16);
    if ((offered & HandshakeFlag.fixedNewstyle) === 0) {
      throw new NbdProtocolError("the server doesn't speak fixed newstyle NBD");
    }
    this.#padded = (offered & HandshakeFlag.noZeroes) === 0;
    const flags = Buffer.alloc(4);
    flags.writeUInt32BE(offered & (HandshakeFlag.fixedNewstyle | HandshakeFlag.noZeroes));
    this.#socket.write(flags);
  }

  /** The socket; once TLS is agreed on, the one over it. */
  get socket(): Socket {
    return this.#socket;
  }

  /**
   * Goes on over TLS.
   * @throws NbdRefused, NbdProtocolError, NbdDisconnected, the error of the server's certificate
   */
  async startTls(certificates: Certificates, host: string): Promise<void> {
    this.#ask(Option.startTls, Buffer.alloc(0));
    const { reply, data } = await this.#answer(Option.startTls);
    if (reply !== OptionReply.ack) throw refused(reply, data, 'TLS');
    this.#expectSilence();
    this.#socket = await useTls(this.#socket, certificates, host);
    this.#reader = new SocketReader(this.#socket);
  }

  /**
   * Opens an export; the transmission phase follows.
   * @throws NbdRefused, NbdProtocolError, NbdDisconnected
   */
  async go(name: string, wanted: readonly string[] = []): Promise<NegotiatedExport> {
    const contexts = wanted.length === 0 ? NO_CONTEXTS : await this.#choose(name, wanted);
    this.#ask(Option.go, goData(name));
    let size: { sizeBytes: number; flags: number } | undefined;
    let blockSizes: BlockSizes = DEFAULT_BLOCK_SIZES;
    for (;;) {
      const { reply, data } = await this.#answer(Option.go);
      if (reply === OptionReply.errUnsupported) return this.#exportName(name, contexts);
      if (reply === OptionReply.ack) {
        if (size === undefined) throw new NbdProtocolError("the export's size is missing");
        this.#expectSilence();
        return { ...size, blockSizes, contexts };
      }
      if (reply !== OptionReply.info) throw refused(reply, data, `export "${name}"`);
      const kind = data.length < 2 ? undefined : data.readUInt16BE(0);
      if (kind === Info.export && data.length === 12) size = sizeAndFlags(data.subarray(2));
      if (kind === Info.blockSize && data.length === 14) {
        blockSizes = {
          minimum: data.readUInt32BE(2),
          preferred: data.readUInt32BE(6),
          maximum: data.readUInt32BE(10),
        };
      }
    }
  }

  /** Lists the server's exports. @throws NbdRefused, NbdProtocolError, NbdDisconnected */
  async list(): Promise<readonly string[]> {
    this.#ask(Option.list, Buffer.alloc(0));
    const names: string[] = [];
    for (;;) {
      const { reply, data } = await this.#answer(Option.list);
      if (reply === OptionReply.ack) return names;
      if (reply !== OptionReply.server) throw refused(reply, data, 'the list of exports');
      if (names.length === LISTED_EXPORTS_MAX) throw new NbdProtocolError('too many exports');
      names.push(listedName(data));
    }
  }

  /** Agrees on structured replies and chooses contexts; none if the server doesn't know how. */
  async #choose(name: string, wanted: readonly string[]): Promise<ReadonlyMap<number, string>> {
    this.#ask(Option.structuredReply, Buffer.alloc(0));
    const agreed = await this.#answer(Option.structuredReply);
    if (isErrorReply(agreed.reply)) return NO_CONTEXTS;
    this.#ask(Option.setMetaContext, queryData(name, wanted));
    const contexts = new Map<number, string>();
    for (;;) {
      const { reply, data } = await this.#answer(Option.setMetaContext);
      if (reply === OptionReply.ack) return contexts;
      if (reply === OptionReply.errUnsupported) return NO_CONTEXTS;
      if (reply !== OptionReply.metaContext || data.length < 4) {
        throw refused(reply, data, `contexts of export "${name}"`);
      }
      if (contexts.size === wanted.length) throw new NbdProtocolError("contexts that weren't asked for");
      contexts.set(data.readUInt32BE(0), data.toString('utf8', 4));
    }
  }

  /** Tells the server that nothing will be opened. */
  abort(): void {
    this.#ask(Option.abort, Buffer.alloc(0));
  }

  /** Opens by EXPORT_NAME, for servers older than GO: no block sizes; a refusal closes it. */
  async #exportName(name: string, contexts: NegotiatedExport['contexts']): Promise<NegotiatedExport> {
    this.#ask(Option.exportName, Buffer.from(name, 'utf8'));
    const answer = await this.#reader.take(10);
    if (this.#padded) await this.#reader.skip(EXPORT_NAME_PADDING_BYTES);
    this.#expectSilence();
    return { ...sizeAndFlags(answer), blockSizes: DEFAULT_BLOCK_SIZES, contexts };
  }

  /** Throws if bytes follow the handshake: from then on a server only answers requests. */
  #expectSilence(): void {
    if (this.#reader.early.length > 0) throw new NbdProtocolError('reply without a request');
  }

  #ask(option: number, data: Buffer): void {
    const numbers = Buffer.alloc(8);
    numbers.writeUInt32BE(option, 0);
    numbers.writeUInt32BE(data.length, 4);
    this.#socket.write(Buffer.concat([OPTION_MAGIC, numbers, data]));
  }

  async #answer(option: number): Promise<OptionAnswer> {
    const header = await this.#reader.take(OPTION_REPLY_HEADER_BYTES);
    const { high, low } = OPTION_REPLY_MAGIC;
    if (header.readUInt32BE(0) !== high || header.readUInt32BE(4) !== low) {
      throw new NbdProtocolError('bad option reply magic');
    }
    if (header.readUInt32BE(8) !== option) throw new NbdProtocolError('reply to another option');
    const length = header.readUInt32BE(16);
    if (length > REPLY_BYTES_MAX) throw new NbdProtocolError(`option reply of ${length} bytes`);
    return { reply: header.readUInt32BE(12), data: await this.#reader.take(length) };
  }
}

function queryData(name: string, queries: readonly string[]): Buffer {
  const count = Buffer.alloc(4);
  count.writeUInt32BE(queries.length);
  return Buffer.concat([withLength(name), count, ...queries.map(withLength)]);
}

function withLength(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function goData(name: string): Buffer {
  const bytes = Buffer.from(name, 'utf8');
  const data = Buffer.alloc(4 + bytes.length + 4);
  data.writeUInt32BE(bytes.length, 0);
  bytes.copy(data, 4);
  data.writeUInt16BE(1, 4 + bytes.length);
  data.writeUInt16BE(Info.blockSize, 6 + bytes.length);
  return data;
}

function sizeAndFlags(data: Buffer): { sizeBytes: number; flags: number } {
  const size = data.readBigUInt64BE(0);
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw new NbdProtocolError('export too large');
  return { sizeBytes: Number(size), flags: data.readUInt16BE(8) };
}

function listedName(data: Buffer): string {
  const length = data.length < 4 ? undefined : data.readUInt32BE(0);
  if (length === undefined || length > data.length - 4) {
    throw new NbdProtocolError('malformed export name');
  }
  return data.toString('utf8', 4, 4 + length);
}

function refused(reply: number, data: Buffer, what: string): Error {
  if (!isErrorReply(reply)) return new NbdProtocolError(`unexpected option reply ${reply}`);
  const reason = data.length > 0 ? data.toString('utf8') : `option reply ${reply.toString(16)}`;
  return new NbdRefused(reply, `the server refused ${what}: ${reason}`);
}
