// Finds frames in bytes that arrive in chunks of any size.
import { MoverError } from '../../contracts/errors.js';
import { decodeFrame } from './decode.js';
import type { Frame, RawFrame } from './frame.js';
import { checkHeader, checkPayload, HEADER_BYTES } from './header.js';

export interface ReceivedFrame {
  readonly frame: Frame;
  /** The same frame as received, to be forwarded unchanged. */
  readonly raw: RawFrame;
}

/**
 * An incomplete frame: room for its header, or for the whole frame once the header is known, and
 * the bytes received so far.
 */
interface PartialFrame {
  readonly buffer: Buffer;
  filled: number;
  headerChecked: boolean;
}

/**
 * Splits chunks into frames. A payload is a view on its chunk when that holds the whole frame; a
 * frame that spans chunks is copied once. After an error nothing more can be decoded, as the next
 * frame's start is unknown: drop the connection.
 */
export class FrameDecoder {
  #partial: PartialFrame | undefined;
  #failure: MoverError | undefined;

  /** Whether the bytes so far end between two frames. */
  get atBoundary(): boolean {
    return this.#partial === undefined;
  }

  /**
   * Returns the frames that end in this chunk. The chunk must not change afterwards. On an error
   * the chunk's earlier frames aren't returned: their sender got no receipt and sends them again.
   * @throws MoverError CORRUPT (magic or checksum), TOO_LARGE (payload), INVALID_REQUEST (not a
   * frame of this version); the same error on each later call
   */
  push(chunk: Buffer): ReceivedFrame[] {
    if (this.#failure !== undefined) throw this.#failure;
    const frames: ReceivedFrame[] = [];
    try {
      let at = 0;
      while (at < chunk.length) {
        at =
          this.#partial === undefined
            ? this.#take(chunk, at, frames)
            : this.#complete(this.#partial, chunk, at, frames);
      }
    } catch (error) {
      if (error instanceof MoverError) this.#failure = error;
      throw error;
    }
    return frames;
  }

  /**
   * Takes one complete frame at `at`, or stores the rest of the chunk as the start of one.
   * @returns where it ended
   */
  #take(chunk: Buffer, at: number, frames: ReceivedFrame[]): number {
    const available = chunk.length - at;
    if (available < HEADER_BYTES) {
      this.#begin(HEADER_BYTES, chunk.subarray(at), false);
      return chunk.length;
    }
    const header = chunk.subarray(at, at + HEADER_BYTES);
    const frameBytes = HEADER_BYTES + checkHeader(header);
    if (available < frameBytes) {
      this.#begin(frameBytes, chunk.subarray(at), true);
      return chunk.length;
    }
    frames.push(received(header, chunk.subarray(at + HEADER_BYTES, at + frameBytes)));
    return at + frameBytes;
  }

  /** Adds the chunk's bytes from `at` on to the incomplete frame. @returns where they ended */
  #complete(partial: PartialFrame, chunk: Buffer, at: number, frames: ReceivedFrame[]): number {
    const { buffer } = partial;
    const end = Math.min(chunk.length, at + buffer.length - partial.filled);
    chunk.copy(buffer, partial.filled, at, end);
    partial.filled += end - at;
    if (partial.filled < buffer.length) return end;

    this.#partial = undefined;
    const payloadLength = partial.headerChecked ? buffer.length - HEADER_BYTES : checkHeader(buffer);
    if (!partial.headerChecked && payloadLength > 0) this.#begin(HEADER_BYTES + payloadLength, buffer, true);
    else frames.push(received(buffer.subarray(0, HEADER_BYTES), buffer.subarray(HEADER_BYTES)));
    return end;
  }

  #begin(bytes: number, start: Buffer, headerChecked: boolean): void {
    const buffer = Buffer.allocUnsafe(bytes);
    start.copy(buffer);
    this.#partial = { buffer, filled: start.length, headerChecked };
  }
}

function received(header: Buffer, payload: Buffer): ReceivedFrame {
  checkPayload(header, payload);
  const raw = { header, payload };
  return { frame: decodeFrame(raw), raw };
}
