// An export as its client sees it: a guest's disk, seen from the guest.
import type { BlockSizes } from './block-device.js';

export interface WriteOptions {
  /** Settle only once the data is on stable storage. */
  readonly fua?: boolean;
}

export interface WriteZeroesOptions extends WriteOptions {
  /** Keep the range allocated, so that later writes to it can't run out of space. */
  readonly noHole?: boolean;
}

/**
 * An open export. Any number of requests may be under way; each settles on its own, in any order,
 * and the server keeps no order between overlapping ones. The caller bounds how many it starts.
 *
 * Requests reject with `NbdError`, carrying the server's error number (EINVAL without asking for a
 * length above `blockSizes.maximum`), or with `NbdDisconnected` when the connection is or gets
 * lost.
 */
export interface NbdClient {
  readonly sizeBytes: number;
  /** `TransmissionFlag` bits. */
  readonly flags: number;
  readonly blockSizes: BlockSizes;
  /** Settles, never rejecting, when the connection has ended for whatever reason. */
  readonly closed: Promise<void>;
  /** The buffer is the caller's. */
  read(offset: number, length: number): Promise<Buffer>;
  /** The data isn't copied: it must not change until the promise settles. */
  write(offset: number, data: Buffer, options?: WriteOptions): Promise<void>;
  /** Writes zeroes. Lengths up to 4 GiB - 1. */
  zeroes(offset: number, length: number, options?: WriteZeroesOptions): Promise<void>;
  /** Says that a range's content no longer matters. Lengths up to 4 GiB - 1. */
  trim(offset: number, length: number, options?: WriteOptions): Promise<void>;
  /** Settles when every write that had settled before is on stable storage. */
  flush(): Promise<void>;
  /**
   * Lets requests under way finish, then closes. New ones are refused. Never rejects; safe to call
   * twice.
   */
  disconnect(): Promise<void>;
}
