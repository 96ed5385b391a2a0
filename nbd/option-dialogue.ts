// The server's end of the option dialogue: reads options, sends replies.
import type { Socket } from 'node:net';
import { NbdDisconnected, NbdProtocolError } from './errors.js';
import {
  HandshakeFlag,
  INIT_MAGIC,
  MAX_NAME_BYTES,
  OPTION_HEADER_BYTES,
  OPTION_MAGIC,
  OPTION_REPLY_HEADER_BYTES,
  OPTION_REPLY_MAGIC,
} from './protocol.js';
import { SocketReader } from './socket-reader.js';

/** Largest option: a name, and the longest names of a few contexts. */
const OPTION_BYTES_MAX = 4 * MAX_NAME_BYTES;
/**
 * Largest oversized option whose data is read and dropped, so that the client gets an error. A
 * larger one cuts the connection.
 */
const DROPPED_OPTION_BYTES_MAX = 32 * 1024 * 1024;

const SUPPORTED_FLAGS = HandshakeFlag.fixedNewstyle | HandshakeFlag.noZeroes;

export interface OptionRequest {
  readonly option: number;
  /** Undefined when the data exceeded the limit. */
  readonly data: Buffer | undefined;
}

export class OptionDialogue {
  readonly #socket: Socket;
  readonly #reader: SocketReader;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#reader = new SocketReader(socket);
  }

  /** Bytes that arrived after the last option. */
  get early(): Buffer {
    return this.#reader.early;
  }

  /** Returns whether the client wants padding after EXPORT_NAME. */
  async greet(): Promise<boolean> {
    const flags = Buffer.alloc(2);
    flags.writeUInt16BE(SUPPORTED_FLAGS);
    await this.send(Buffer.concat([INIT_MAGIC, OPTION_MAGIC, flags]));
    const clientFlags = (await this.#reader.take(4)).readUInt32BE();
    if ((clientFlags & ~SUPPORTED_FLAGS) !== 0) throw new NbdProtocolError('unknown client flags');
    return (clientFlags & HandshakeFlag.noZeroes) === 0;
  }

  /** @throws NbdProtocolError, NbdDisconnected */
  async next(): Promise<OptionRequest> {
    const header = await this.#reader.take(OPTION_HEADER_BYTES);
    if (!header.subarray(0, OPTION_MAGIC.length).equals(OPTION_MAGIC)) {
      throw new NbdProtocolError('bad option magic');
    }
    const option = header.readUInt32BE(8);
    const length = header.readUInt32BE(12);
    if (length <= OPTION_BYTES_MAX) return { option, data: await this.#reader.take(length) };
    if (length > DROPPED_OPTION_BYTES_MAX) throw new NbdProtocolError(`option of ${length} bytes`);
    await this.#reader.skip(length);
    return { option, data: undefined };
  }

  reply(option: number, reply: number, data: Buffer = Buffer.alloc(0)): Promise<void> {
    const header = Buffer.alloc(OPTION_REPLY_HEADER_BYTES);
    header.writeUInt32BE(OPTION_REPLY_MAGIC.high, 0);
    header.writeUInt32BE(OPTION_REPLY_MAGIC.low, 4);
    header.writeUInt32BE(option, 8);
    header.writeUInt32BE(reply, 12);
    header.writeUInt32BE(data.length, 16);
    return this.send(Buffer.concat([header, data]));
  }

  /**
   * Sends and waits for the socket to drain: answers can't pile up for a client that doesn't read.
   * @throws NbdDisconnected
   */
  async send(bytes: Buffer): Promise<void> {
    const socket = this.#socket;
    if (!socket.writable) throw new NbdDisconnected('the client closed the connection');
    if (socket.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const changed = (): void => {
        socket.off('drain', changed).off('close', changed);
        resolve();
      };
      socket.on('drain', changed).on('close', changed);
    });
  }
}
