// Reads an export from end to end, keeping several requests under way: one at a time leaves the
// connection idle half the time.
import type { NbdClient } from './nbd-client.js';

export interface ReadAheadOptions {
  /** Bytes of one request; default 1 MiB, and never above what the server accepts. */
  readonly chunkBytes?: number;
  /** Requests under way; default 4. Bounds the memory: depth × chunk. */
  readonly depth?: number;
  /** Ends the reading with its reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface Chunk {
  readonly offset: number;
  readonly data: Buffer;
}

const CHUNK_BYTES_DEFAULT = 1024 * 1024;
const DEPTH_DEFAULT = 4;

/** Every byte of the export, in order. @throws NbdError, NbdDisconnected, the signal's reason */
export async function* readAhead(client: NbdClient, options: ReadAheadOptions = {}): AsyncGenerator<Chunk, void> {
  const { depth = DEPTH_DEFAULT, signal } = options;
  const chunkBytes = Math.min(options.chunkBytes ?? CHUNK_BYTES_DEFAULT, client.blockSizes.maximum);
  const underWay: { readonly offset: number; readonly reading: Promise<Buffer> }[] = [];
  let next = 0;
  const request = (): void => {
    const reading = client.read(next, Math.min(chunkBytes, client.sizeBytes - next));
    // A later one may fail while an earlier one is awaited; it is thrown when its turn comes.
    reading.catch(() => undefined);
    underWay.push({ offset: next, reading });
    next += chunkBytes;
  };
  for (;;) {
    signal?.throwIfAborted();
    while (underWay.length < depth && next < client.sizeBytes) request();
    const first = underWay.shift();
    if (first === undefined) return;
    yield { offset: first.offset, data: await first.reading };
  }
}
