// Reads exact byte counts off a socket: the handshake is a dialogue, and reads best as one.
import type { Socket } from 'node:net';
import { NbdDisconnected } from './errors.js';

/** Bytes discarded at a time while skipping. */
const SKIP_BYTES = 64 * 1024;

/**
 * Reads only when asked to, so that a peer that sends more than is wanted is held back. One call at
 * a time. The socket is left paused.
 */
export class SocketReader {
  readonly #socket: Socket;
  #early: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** What has come but hasn't been taken: whoever reads the socket next must begin with it. */
  get early(): Buffer {
    return this.#early;
  }

  /** @throws NbdDisconnected when the socket ends first */
  async take(length: number): Promise<Buffer> {
    const chunks = [this.#early];
    let arrived = this.#early.length;
    while (arrived < length) {
      const chunk = await this.#nextChunk();
      chunks.push(chunk);
      arrived += chunk.length;
    }
    const bytes = Buffer.concat(chunks, arrived);
    this.#early = bytes.subarray(length);
    return bytes.subarray(0, length);
  }

  /** @throws NbdDisconnected when the socket ends first */
  async skip(length: number): Promise<void> {
    for (let left = length; left > 0; left -= SKIP_BYTES) {
      await this.take(Math.min(left, SKIP_BYTES));
    }
  }

  #nextChunk(): Promise<Buffer> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const forget = (): void => {
        socket.off('data', arrived).off('end', ended).off('close', ended);
      };
      const arrived = (chunk: Buffer): void => {
        forget();
        socket.pause();
        resolve(chunk);
      };
      const ended = (): void => {
        forget();
        reject(new NbdDisconnected('the peer closed the connection during the handshake'));
      };
      if (socket.readableEnded || socket.destroyed) {
        ended();
        return;
      }
      socket.on('data', arrived).on('end', ended).on('close', ended);
      socket.resume();
    });
  }
}
