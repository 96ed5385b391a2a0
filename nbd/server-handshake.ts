// The server's side of fixed newstyle option haggling, from the greeting to an opened export.
import type { Socket } from 'node:net';
import type { BlockDevice, ExportDirectory, NbdPeer } from './block-device.js';
import { NbdDisconnected, NbdError, NbdProtocolError } from './errors.js';
import type { NbdLimits } from './limits.js';
import { exportFlags, exportInformation } from './export-information.js';
import {
  EXPORT_NAME_PADDING_BYTES,
  HandshakeFlag,
  INIT_MAGIC,
  MAX_NAME_BYTES,
  Option,
  OPTION_HEADER_BYTES,
  OPTION_MAGIC,
  OPTION_REPLY_HEADER_BYTES,
  OPTION_REPLY_MAGIC,
  OptionReply,
} from './protocol.js';
import { SocketReader } from './socket-reader.js';

/** Largest option: the longest name, and more information requests than there are kinds. */
const OPTION_BYTES_MAX = MAX_NAME_BYTES + 1024;
/**
 * Largest oversized option whose data is read and dropped, so that the client gets an error. A
 * larger one cuts the connection.
 */
const DROPPED_OPTION_BYTES_MAX = 32 * 1024 * 1024;

const SUPPORTED_FLAGS = HandshakeFlag.fixedNewstyle | HandshakeFlag.noZeroes;

/** The handshake's result. */
export interface OpenedExport {
  readonly device: BlockDevice;
  /** Transmission bytes that arrived already, from a client that didn't wait for the reply. */
  readonly early: Buffer;
}

interface OptionRequest {
  readonly option: number;
  /** Undefined when the data exceeded the limit. */
  readonly data: Buffer | undefined;
}

export class ServerHandshake {
  readonly #socket: Socket;
  readonly #reader: SocketReader;
  readonly #exports: ExportDirectory;
  readonly #peer: NbdPeer;
  readonly #limits: NbdLimits;

  constructor(socket: Socket, exports: ExportDirectory, peer: NbdPeer, limits: NbdLimits) {
    this.#socket = socket;
    this.#reader = new SocketReader(socket);
    this.#exports = exports;
    this.#peer = peer;
    this.#limits = limits;
  }

  /**
   * Answers the client's options until it opens an export or leaves.
   * @returns the opened export; undefined if the client only asked
   * @throws NbdDisconnected, NbdProtocolError, or what the directory's `list` or a device's `close`
   * throws
   */
  async negotiate(): Promise<OpenedExport | undefined> {
    const device = await this.#haggle();
    return device === undefined ? undefined : { device, early: this.#reader.early };
  }

  async #haggle(): Promise<BlockDevice | undefined> {
    const padded = await this.#greet();
    for (;;) {
      const { option, data } = await this.#nextOption();
      if (data === undefined) {
        // EXPORT_NAME can't be answered with an error.
        if (option === Option.exportName) return undefined;
        await this.#reply(option, OptionReply.errTooBig, text('option too long'));
        continue;
      }
      switch (option) {
        case Option.exportName:
          return this.#exportName(data.toString('utf8'), padded);
        case Option.abort:
          await this.#reply(option, OptionReply.ack);
          return undefined;
        case Option.list:
          await this.#list(data);
          break;
        case Option.info:
        case Option.go: {
          const device = await this.#informOrGo(option, data);
          if (device !== undefined) return device;
          break;
        }
        default:
          await this.#reply(option, OptionReply.errUnsupported);
      }
    }
  }

  /** Returns whether the client wants padding after EXPORT_NAME. */
  async #greet(): Promise<boolean> {
    const flags = Buffer.alloc(2);
    flags.writeUInt16BE(SUPPORTED_FLAGS);
    await this.#send(Buffer.concat([INIT_MAGIC, OPTION_MAGIC, flags]));
    const clientFlags = (await this.#reader.take(4)).readUInt32BE();
    if ((clientFlags & ~SUPPORTED_FLAGS) !== 0) throw new NbdProtocolError('unknown client flags');
    return (clientFlags & HandshakeFlag.noZeroes) === 0;
  }

  async #nextOption(): Promise<OptionRequest> {
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

  async #list(data: Buffer): Promise<void> {
    if (data.length > 0) {
      await this.#reply(Option.list, OptionReply.errInvalid, text('LIST takes no data'));
      return;
    }
    for (const name of this.#exports.list()) {
      const bytes = text(name);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      await this.#reply(Option.list, OptionReply.server, Buffer.concat([length, bytes]));
    }
    await this.#reply(Option.list, OptionReply.ack);
  }

  async #exportName(name: string, padded: boolean): Promise<BlockDevice | undefined> {
    const device = await this.#open(name);
    if (!isOpen(device)) return undefined;
    const answer = Buffer.alloc(10 + (padded ? EXPORT_NAME_PADDING_BYTES : 0));
    answer.writeBigUInt64BE(BigInt(device.sizeBytes), 0);
    answer.writeUInt16BE(exportFlags(device), 8);
    return this.#closingOnFailure(device, this.#send(answer));
  }

  async #informOrGo(option: number, data: Buffer): Promise<BlockDevice | undefined> {
    const name = nameAskedFor(data);
    if (name === undefined) {
      await this.#reply(option, OptionReply.errInvalid, text('malformed option'));
      return undefined;
    }
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
      await this.#reply(option, OptionReply.errTooBig, text('name too long'));
      return undefined;
    }
    const device = await this.#open(name);
    if (!isOpen(device)) {
      await this.#reply(option, device.refusal, text(device.message));
      return undefined;
    }
    await this.#closingOnFailure(device, this.#inform(option, name, device));
    if (option === Option.go) return device;
    await device.close();
    return undefined;
  }

  async #inform(option: number, name: string, device: BlockDevice): Promise<void> {
    // All items are sent, requested or not: the protocol allows it, and clients that don't ask
    // still learn the block sizes.
    const items = exportInformation(name, device, this.#limits.payloadBytesMax);
    for (const item of items) await this.#reply(option, OptionReply.info, item);
    await this.#reply(option, OptionReply.ack);
  }

  async #open(name: string): Promise<BlockDevice | Refusal> {
    try {
      const device = await this.#exports.open(name, this.#peer);
      return device ?? { refusal: OptionReply.errUnknown, message: 'no such export' };
    } catch (error) {
      return refusalFor(error);
    }
  }

  async #closingOnFailure(device: BlockDevice, step: Promise<void>): Promise<BlockDevice> {
    try {
      await step;
      return device;
    } catch (error) {
      await device.close();
      throw error;
    }
  }

  #reply(option: number, reply: number, data: Buffer = Buffer.alloc(0)): Promise<void> {
    const header = Buffer.alloc(OPTION_REPLY_HEADER_BYTES);
    header.writeUInt32BE(OPTION_REPLY_MAGIC.high, 0);
    header.writeUInt32BE(OPTION_REPLY_MAGIC.low, 4);
    header.writeUInt32BE(option, 8);
    header.writeUInt32BE(reply, 12);
    header.writeUInt32BE(data.length, 16);
    return this.#send(Buffer.concat([header, data]));
  }

  /**
   * Sends and waits for the socket to drain: answers can't pile up for a client that doesn't read.
   */
  async #send(bytes: Buffer): Promise<void> {
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

interface Refusal {
  readonly refusal: number;
  readonly message: string;
}

function isOpen(opened: BlockDevice | Refusal): opened is BlockDevice {
  return !('refusal' in opened);
}

function refusalFor(error: unknown): Refusal {
  const message = error instanceof Error ? error.message : "the export can't be opened";
  if (error instanceof NbdError && error.code === 'EPERM') {
    return { refusal: OptionReply.errPolicy, message };
  }
  if (error instanceof NbdError && error.code === 'ESHUTDOWN') {
    return { refusal: OptionReply.errShutdown, message };
  }
  return { refusal: OptionReply.errUnknown, message };
}

/** The name in the data of INFO or GO; undefined when the data's lengths contradict each other. */
function nameAskedFor(data: Buffer): string | undefined {
  if (data.length < 6) return undefined;
  const nameBytes = data.readUInt32BE(0);
  if (nameBytes > data.length - 6) return undefined;
  const requests = data.readUInt16BE(4 + nameBytes);
  if (data.length !== 6 + nameBytes + 2 * requests) return undefined;
  return data.toString('utf8', 4, 4 + nameBytes);
}

function text(message: string): Buffer {
  return Buffer.from(message.slice(0, MAX_NAME_BYTES), 'utf8');
}
