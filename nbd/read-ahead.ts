// Reads an export from end to end with several requests in flight: with one at a time the
// connection is idle half the time.
import type { NbdClient } from './nbd-client.js';

export interface ReadAheadOptions {
  /** Bytes of one request; default 1 MiB. Never more than the server accepts. */
  readonly chunkBytes?: number;
  /** Requests in flight; default 4. Memory is bounded by depth × chunk. */
  readonly depth?: number;
  /** Stops the reading; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

export interface Chunk {
  readonly offset: number;
  readonly data: Buffer;
}

const CHUNK_BYTES_DEFAULT = 1024 * 1024;
const DEPTH_DEFAULT = 4;

/** Yields the export's bytes in order. @throws NbdError, NbdDisconnected, the signal's reason */
export async function* readAhead(client: NbdClient, options: ReadAheadOptions = {}): AsyncGenerator<Chunk, void> {
  const { depth = DEPTH_DEFAULT, signal } = options;
  const chunkBytes = Math.min(options.chunkBytes ?? CHUNK_BYTES_DEFAULT, client.blockSizes.maximum);
  const underWay: { readonly offset: number; readonly reading: Promise<Buffer> }[] = [];
  let next = 0;
  const request = (): void => {
    const reading = client.read(next, Math.min(chunkBytes, client.sizeBytes - next));
    // A later request may fail while an earlier one is awaited; the error is thrown in its turn.
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
