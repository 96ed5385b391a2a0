// Reads exact byte counts from a socket, so that the handshake's code reads as a dialogue.
import type { Socket } from 'node:net';
import { NbdDisconnected } from './errors.js';

/** Bytes discarded at a time by `skip`. */
const SKIP_BYTES = 64 * 1024;

/**
 * Reads only on request, so that a peer that sends more than is wanted is held back. One call at a
 * time. Leaves the socket paused.
 */
export class SocketReader {
  readonly #socket: Socket;
  #early: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Bytes that have arrived but weren't taken: the socket's next reader must start with them. */
  get early(): Buffer {
    return this.#early;
  }

  /** Reads exactly `length` bytes. @throws NbdDisconnected when the socket ends first */
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

  /** Reads and drops `length` bytes. @throws NbdDisconnected when the socket ends first */
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
