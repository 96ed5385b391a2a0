// Gathers outgoing bytes, so that a burst of headers and payloads costs one system call.
import type { Socket } from 'node:net';

/**
 * Size of the buffer for headers: room for 512 replies. A multiple of four, so that no word
 * straddles two buffers.
 */
const ARENA_BYTES = 8 * 1024;
const WORD_BYTES = 4;

export class OutputBatch {
  readonly #socket: Socket;
  readonly #onSent: (() => void) | undefined;
  #arena = Buffer.allocUnsafeSlow(ARENA_BYTES);
  #runStart = 0;
  #runEnd = 0;
  #pieces: Buffer[] = [];
  #bytes = 0;

  /** @param onSent called each time when all bytes of a `send` have left */
  constructor(socket: Socket, onSent?: () => void) {
    this.#socket = socket;
    this.#onSent = onSent;
  }

  /** Bytes gathered here or waiting in the socket for the peer to read. */
  get unsentBytes(): number {
    return this.#bytes + this.#socket.writableLength;
  }

  /** Appends an unsigned 32-bit number, most significant byte first. */
  word(value: number): void {
    if (this.#runEnd === ARENA_BYTES) {
      this.#endRun();
      // The old arena may still be on its way out: it is never written to again.
      this.#arena = Buffer.allocUnsafeSlow(ARENA_BYTES);
      this.#runStart = 0;
      this.#runEnd = 0;
    }
    this.#arena.writeUInt32BE(value, this.#runEnd);
    this.#runEnd += WORD_BYTES;
    this.#bytes += WORD_BYTES;
  }

  /** Appends data without copying it; it must not change until it has been sent. */
  data(data: Buffer): void {
    this.#endRun();
    this.#pieces.push(data);
    this.#bytes += data.length;
  }

  /** Hands everything gathered to the socket, as one write. */
  send(): void {
    this.#endRun();
    const pieces = this.#pieces;
    const first = pieces[0];
    if (first === undefined) return;
    this.#pieces = [];
    this.#bytes = 0;
    if (!this.#socket.writable) return;
    if (pieces.length === 1) {
      this.#write(first, true);
      return;
    }
    this.#socket.cork();
    for (const [index, piece] of pieces.entries()) this.#write(piece, index === pieces.length - 1);
    this.#socket.uncork();
  }

  #write(piece: Buffer, last: boolean): void {
    if (last && this.#onSent !== undefined) this.#socket.write(piece, this.#onSent);
    else this.#socket.write(piece);
  }

  #endRun(): void {
    if (this.#runEnd === this.#runStart) return;
    this.#pieces.push(this.#arena.subarray(this.#runStart, this.#runEnd));
    this.#runStart = this.#runEnd;
  }
}
