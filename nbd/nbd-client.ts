// An export as its client sees it: the guest's view of its disk.
import type { BlockSizes } from './block-device.js';
import type { StatusExtent } from './meta-context.js';

export interface WriteOptions {
  /** Settle only once the data is on stable storage. */
  readonly fua?: boolean;
}

export interface WriteZeroesOptions extends WriteOptions {
  /** Keep the range allocated, so that later writes to it can't run out of space. */
  readonly noHole?: boolean;
}

/**
 * An open export. Any number of requests may be in flight. They settle independently, in any order;
 * the server keeps no order between overlapping requests. The caller bounds their number.
 *
 * Requests reject with `NbdError`, which has the server's error number, or with `NbdDisconnected`
 * when the connection is lost. A length above `blockSizes.maximum` is rejected with EINVAL without
 * asking the server.
 */
export interface NbdClient {
  readonly sizeBytes: number;
  /** `TransmissionFlag` bits. */
  readonly flags: number;
  readonly blockSizes: BlockSizes;
  /** The contexts that were asked for and that the server has. */
  readonly contexts: readonly string[];
  /** Settles when the connection has ended, for whatever reason. Never rejects. */
  readonly closed: Promise<void>;
  /** Reads `length` bytes into a buffer that the caller owns. */
  read(offset: number, length: number): Promise<Buffer>;
  /**
   * The extents from `offset` on, by context. They may end before the range does, each context
   * elsewhere. EINVAL without contexts. Lengths up to 4 GiB - 1.
   */
  blockStatus(offset: number, length: number): Promise<ReadonlyMap<string, readonly StatusExtent[]>>;
  /** Writes without copying: the data must not change until the promise settles. */
  write(offset: number, data: Buffer, options?: WriteOptions): Promise<void>;
  /** Writes zeroes. Lengths up to 4 GiB - 1. */
  zeroes(offset: number, length: number, options?: WriteZeroesOptions): Promise<void>;
  /** Declares that a range's content no longer matters. Lengths up to 4 GiB - 1. */
  trim(offset: number, length: number, options?: WriteOptions): Promise<void>;
  /** Settles once every write that had settled before the call is on stable storage. */
  flush(): Promise<void>;
  /** Refuses new requests, finishes those in flight, then closes. Never rejects. Idempotent. */
  disconnect(): Promise<void>;
}
