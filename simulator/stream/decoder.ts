// Finds frames in bytes that come in chunks of any size.
import { MoverError } from '../../contracts/errors.js';
import { decodeFrame } from './decode.js';
import type { Frame, RawFrame } from './frame.js';
import { checkHeader, checkPayload, HEADER_BYTES } from './header.js';

export interface ReceivedFrame {
  readonly frame: Frame;
  /** The same frame as it came in, to be passed on as it is. */
  readonly raw: RawFrame;
}

/**
 * Room for a header, or for a whole frame once its header is known, with the bytes of it that are
 * here.
 */
interface Beginning {
  readonly room: Buffer;
  filled: number;
  headerChecked: boolean;
}

/**
 * Payloads are views on the chunk where that holds the whole frame; a frame that spans chunks is
 * copied together once. After an error nothing more can be found: where the next frame begins is
 * not known. Drop the connection.
 */
export class FrameDecoder {
  #beginning: Beginning | undefined;
  #failure: MoverError | undefined;

  /** Whether the bytes so far end between two frames. */
  get atBoundary(): boolean {
    return this.#beginning === undefined;
  }

  /**
   * The frames that end in this chunk, which must not change afterwards. With an error, those
   * before it in the chunk are not returned: whoever sent them got no receipt, and sends them
   * again.
   * @throws MoverError CORRUPT (magic or checksum), TOO_LARGE (payload), INVALID_REQUEST (not a
   * frame of this version); again on each later call.
   */
  push(chunk: Buffer): ReceivedFrame[] {
    if (this.#failure !== undefined) throw this.#failure;
    const frames: ReceivedFrame[] = [];
    try {
      let at = 0;
      while (at < chunk.length) {
        at =
          this.#beginning === undefined
            ? this.#take(chunk, at, frames)
            : this.#complete(this.#beginning, chunk, at, frames);
      }
    } catch (error) {
      if (error instanceof MoverError) this.#failure = error;
      throw error;
    }
    return frames;
  }

  /**
   * Takes one whole frame at `at`, or keeps the rest of the chunk as the beginning of one; returns
   * where it ended.
   */
  #take(chunk: Buffer, at: number, frames: ReceivedFrame[]): number {
    const here = chunk.length - at;
    if (here < HEADER_BYTES) {
      this.#begin(HEADER_BYTES, chunk.subarray(at), false);
      return chunk.length;
    }
    const header = chunk.subarray(at, at + HEADER_BYTES);
    const frameBytes = HEADER_BYTES + checkHeader(header);
    if (here < frameBytes) {
      this.#begin(frameBytes, chunk.subarray(at), true);
      return chunk.length;
    }
    frames.push(received(header, chunk.subarray(at + HEADER_BYTES, at + frameBytes)));
    return at + frameBytes;
  }

  /** Adds to the beginning what the chunk has of it from `at` on; returns where that ended. */
  #complete(beginning: Beginning, chunk: Buffer, at: number, frames: ReceivedFrame[]): number {
    const { room } = beginning;
    const end = Math.min(chunk.length, at + room.length - beginning.filled);
    chunk.copy(room, beginning.filled, at, end);
    beginning.filled += end - at;
    if (beginning.filled < room.length) return end;

    this.#beginning = undefined;
    const payloadLength = beginning.headerChecked ? room.length - HEADER_BYTES : checkHeader(room);
    if (!beginning.headerChecked && payloadLength > 0) this.#begin(HEADER_BYTES + payloadLength, room, true);
    else frames.push(received(room.subarray(0, HEADER_BYTES), room.subarray(HEADER_BYTES)));
    return end;
  }

  #begin(bytes: number, start: Buffer, headerChecked: boolean): void {
    const room = Buffer.allocUnsafe(bytes);
    start.copy(room);
    this.#beginning = { room, filled: start.length, headerChecked };
  }
}

function received(header: Buffer, payload: Buffer): ReceivedFrame {
  checkPayload(header, payload);
  const raw = { header, payload };
  return { frame: decodeFrame(raw), raw };
}
