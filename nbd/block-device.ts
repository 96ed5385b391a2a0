// What a backend provides so that the NBD server can serve it: a directory of exports, each a block
// device.

/** Bytes; each a power of two, except that `maximum` may be any multiple of `minimum`. */
export interface BlockSizes {
  /** Offsets and lengths that aren't multiples are refused with EINVAL. */
  readonly minimum: number;
  /** Requests smaller than this are slower. */
  readonly preferred: number;
  /**
   * Largest read or write; larger ones are refused with EINVAL. The server's own limit applies as
   * well.
   */
  readonly maximum: number;
}

export interface ZeroesOptions {
  /** Answer only once the effect is on stable storage. */
  readonly fua: boolean;
  /**
   * The client trims: it no longer cares for the content, so the device may do nothing, or
   * anything, with the range.
   */
  readonly trim: boolean;
  /** The device may deallocate the range; unless `trim`, it must read as zeroes afterwards. */
  readonly mayTrim: boolean;
}

/**
 * One opened export, used by one connection.
 *
 * The server has checked range, alignment, size and read-only before it calls, and calls in the
 * order of arrival without waiting: the device decides what may overlap. Each call either completes
 * at once (returns a value, or throws) or returns a promise, which must settle. Completing at once
 * is the fast path: no promise is made and replies are batched per socket chunk.
 *
 * Throw `NbdError` to choose the error number; anything else is answered with EIO and logged.
 */
export interface BlockDevice {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly blockSizes: BlockSizes;
  /** For humans; shown by clients that list exports. */
  readonly description?: string;
  /** A flush on one connection covers writes answered on any other; false when absent. */
  readonly canMultiConn?: boolean;
  /**
   * Aborted when the device goes away by itself: its connection ends as soon as requests under way
   * are answered.
   */
  readonly gone?: AbortSignal;

  /** Exactly `length` bytes. The buffer passes to the server and must not change afterwards. */
  read(offset: number, length: number): Buffer | Promise<Buffer>;

  /**
   * The data passes to the device, which may keep it: the server never writes to that memory again.
   * It may be a slice of a socket chunk (64 KiB at most) that it keeps alive as a whole, so a
   * device that keeps a few small writes for long should copy them.
   *
   * @param fua answer only once the data is on stable storage
   */
  write(offset: number, data: Buffer, fua: boolean): void | Promise<void>;

  /** Writes zeroes or trims. Lengths up to 4 GiB - 1: `blockSizes.maximum` bounds payloads only. */
  zeroes(offset: number, length: number, options: ZeroesOptions): void | Promise<void>;

  /** Every write answered before this call is on stable storage when it completes. */
  flush(): void | Promise<void>;

  /** Called once, after every other call has settled. What it throws is logged. */
  close(): void | Promise<void>;
}

/** Who opens an export. */
export interface NbdPeer {
  /** Unique within the server's life. */
  readonly connection: number;
  /** The remote host and port, or the path of the unix socket it came in by. */
  readonly address: string;
}

export interface ExportDirectory {
  /**
   * Names to show to clients that ask; an export may be open to those who know its name without
   * being listed.
   */
  list(): readonly string[];

  /**
   * Opens an export for one connection, or for a mere query of its size (then it is closed at
   * once). Undefined, or a rejection, refuses the client: unknown export; with `NbdError` EPERM
   * "policy", with ESHUTDOWN "shutting down".
   */
  open(name: string, peer: NbdPeer): BlockDevice | undefined | Promise<BlockDevice | undefined>;
}
