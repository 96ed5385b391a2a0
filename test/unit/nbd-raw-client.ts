// A client that sends exactly the bytes a test gives it, well-formed or not.
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { NbdAddress } from '../../nbd/address.js';
import { SocketReader } from '../../nbd/socket-reader.js';

export class RawClient {
  readonly socket: Socket;
  readonly #reader: SocketReader;
  readonly #closed: Promise<unknown>;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.#closed = once(socket, 'close').catch(() => undefined);
    this.#reader = new SocketReader(socket);
  }

  static async connect(address: NbdAddress): Promise<RawClient> {
    const socket = connect(address);
    await once(socket, 'connect');
    socket.on('error', () => {});
    return new RawClient(socket);
  }

  /** Connects and answers the greeting, asking for no padding. */
  static async greeted(address: NbdAddress, flags = 3): Promise<RawClient> {
    const client = await RawClient.connect(address);
    await client.take(18);
    client.send(words(flags));
    return client;
  }

  /** Connects and opens an export by its name. */
  static async opened(address: NbdAddress, name: string): Promise<RawClient> {
    const client = await RawClient.greeted(address);
    client.option(1, Buffer.from(name));
    await client.take(10);
    return client;
  }

  send(...bytes: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(bytes));
  }

  option(option: number, data: Buffer = Buffer.alloc(0), claimedBytes = data.length): void {
    this.send(Buffer.from('IHAVEOPT'), words(option, claimedBytes), data);
  }

  take(length: number): Promise<Buffer> {
    return this.#reader.take(length);
  }

  async optionReply(): Promise<{ option: number; reply: number; data: Buffer }> {
    const header = await this.take(20);
    const data = await this.take(header.readUInt32BE(16));
    return { option: header.readUInt32BE(8), reply: header.readUInt32BE(12), data };
  }

  /** A reply without data. */
  async reply(): Promise<{ errno: number; cookie: bigint }> {
    const header = await this.take(16);
    return { errno: header.readUInt32BE(4), cookie: header.readBigUInt64BE(8) };
  }

  /**
   * Drops whatever the server sends until it closes the connection; says so, for a test to expect.
   */
  async untilClosed(): Promise<'closed'> {
    this.socket.on('data', () => {});
    this.socket.resume();
    await this.#closed;
    return 'closed';
  }

  destroy(): void {
    this.socket.destroy();
  }
}

export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
  return bytes;
}

export interface RawRequest {
  readonly type: number;
  readonly flags?: number;
  readonly cookie?: bigint;
  readonly offset?: bigint;
  readonly length?: number;
  readonly magic?: number;
}

export function request(fields: RawRequest): Buffer {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt32BE(fields.magic ?? 0x25609513, 0);
  bytes.writeUInt16BE(fields.flags ?? 0, 4);
  bytes.writeUInt16BE(fields.type, 6);
  bytes.writeBigUInt64BE(fields.cookie ?? 1n, 8);
  bytes.writeBigUInt64BE(fields.offset ?? 0n, 16);
  bytes.writeUInt32BE(fields.length ?? 0, 24);
  return bytes;
}
