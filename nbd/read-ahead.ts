// Reads an export from end to end with several requests in flight: with one at a time the
// connection is idle half the time.
import { NbdProtocolError } from './errors.js';
import { Allocation, BASE_ALLOCATION } from './meta-context.js';
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

/** Most bytes that one question about holes covers: what a request's length can say. */
const ASKED_BYTES_MAX = 2 ** 32 - 1;

/**
 * Yields the export's bytes in order. Leaves out what surely reads as zeroes, if the client chose
 * `base:allocation`.
 * @throws NbdError, NbdDisconnected, the signal's reason
 */
export async function* readAhead(client: NbdClient, options: ReadAheadOptions = {}): AsyncGenerator<Chunk, void> {
  const { depth = DEPTH_DEFAULT, signal } = options;
  const chunkBytes = Math.min(options.chunkBytes ?? CHUNK_BYTES_DEFAULT, client.blockSizes.maximum);
  const underWay: { readonly offset: number; readonly reading: Promise<Buffer> }[] = [];
  const ranges = dataRanges(client);
  let [next, end] = [0, 0];
  for (;;) {
    signal?.throwIfAborted();
    while (underWay.length < depth) {
      if (next === end) {
        const range = await ranges.next();
        if (range.done === true) break;
        ({ start: next, end } = range.value);
      }
      const offset = next;
      next = Math.min(end, next + chunkBytes);
      const reading = client.read(offset, next - offset);
      // A later request may fail while an earlier one is awaited; the error is thrown in its turn.
      reading.catch(() => undefined);
      underWay.push({ offset, reading });
    }
    const first = underWay.shift();
    if (first === undefined) return;
    yield { offset: first.offset, data: await first.reading };
  }
}

interface DataRange {
  readonly start: number;
  readonly end: number;
}

/** The ranges of an export that may hold data, in order; all of it if that isn't known. */
async function* dataRanges(client: NbdClient): AsyncGenerator<DataRange, void> {
  const { sizeBytes } = client;
  if (!client.contexts.includes(BASE_ALLOCATION)) {
    if (sizeBytes > 0) yield { start: 0, end: sizeBytes };
    return;
  }
  let start: number | undefined;
  for (let at = 0; at < sizeBytes;) {
    const status = await client.blockStatus(at, Math.min(sizeBytes - at, ASKED_BYTES_MAX));
    const extents = status.get(BASE_ALLOCATION) ?? [];
    if (extents.length === 0) throw new NbdProtocolError('block status without an extent');
    for (const { length, flags } of extents) {
      const isZero = (flags & Allocation.zero) !== 0;
      if (isZero && start !== undefined) yield { start, end: at };
      if (isZero) start = undefined;
      else start ??= at;
      // The last extent may reach beyond what was asked for, never beyond the export.
      at = Math.min(sizeBytes, at + length);
    }
  }
  if (start !== undefined) yield { start, end: sizeBytes };
}
