// What a backend provides so that the NBD server can serve it: a directory of exports, each a block
// device.
import type { MetaContext } from './meta-context.js';

/** Bytes; each a power of two, except that `maximum` may be any multiple of `minimum`. */
export interface BlockSizes {
  /** Offsets and lengths that aren't multiples are refused with EINVAL. */
  readonly minimum: number;
  /** Requests smaller than this are slower. */
  readonly preferred: number;
  /** Largest read or write; larger ones get EINVAL. The server's own limit also applies. */
  readonly maximum: number;
}

export interface ZeroesOptions {
  /** Answer only once the effect is on stable storage. */
  readonly fua: boolean;
  /** The client trims: it no longer needs the content, which may read as anything afterwards. */
  readonly trim: boolean;
  /** The device may deallocate the range; unless `trim`, it must read as zeroes afterwards. */
  readonly mayTrim: boolean;
}

/** What a device can tell about its blocks besides their content. */
export interface DeviceContexts {
  /** Names shown to clients that ask. A context that isn't listed can still be opened. */
  list(): readonly string[] | Promise<readonly string[]>;
  /**
   * A context by its name; undefined if there is none. Throw `NbdError` to tell the client why:
   * EPERM as "policy".
   */
  open(name: string): MetaContext | undefined | Promise<MetaContext | undefined>;
}

/**
 * One opened export, used by one connection.
 *
 * The server checks range, alignment, size and read-only before it calls. It calls in order of
 * arrival and doesn't wait for earlier calls: the device decides what may overlap. Each call either
 * completes at once (returns a value or throws) or returns a promise that must settle. Completing
 * at once is the fast path: no promise is made, and replies are batched per socket chunk.
 *
 * Throw `NbdError` to choose the error number; any other error is answered with EIO and logged.
 */
export interface BlockDevice {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly blockSizes: BlockSizes;
  /** Text for people, shown by clients that list exports. */
  readonly description?: string;
  /** Whether a flush on one connection covers writes answered on any other; false when absent. */
  readonly canMultiConn?: boolean;
  /** Aborts when the device goes away by itself. The connection then ends after its requests. */
  readonly gone?: AbortSignal;
  /** Absent: the device knows of no context. */
  readonly contexts?: DeviceContexts;

  /** Exactly `length` bytes. The buffer passes to the server and must not change afterwards. */
  read(offset: number, length: number): Buffer | Promise<Buffer>;

  /**
   * Takes over the data: the server never writes to that memory again. The data may be a slice of a
   * socket chunk (64 KiB at most) and keeps the whole chunk alive, so a device that keeps small
   * writes for long should copy them.
   *
   * @param fua answer only once the data is on stable storage
   */
  write(offset: number, data: Buffer, fua: boolean): void | Promise<void>;

  /** Writes zeroes or trims. Lengths up to 4 GiB - 1: `blockSizes.maximum` bounds payloads only. */
  zeroes(offset: number, length: number, options: ZeroesOptions): void | Promise<void>;

  /** Completes once every write answered before this call is on stable storage. */
  flush(): void | Promise<void>;

  /** Called once, after every other call has settled. A throw is logged. */
  close(): void | Promise<void>;
}

/** Who opens an export. */
export interface NbdPeer {
  /** Unique while the server lives. */
  readonly connection: number;
  /** The remote host and port, or the path of the unix socket that the client connected to. */
  readonly address: string;
}

export interface ExportDirectory {
  /** Names shown to clients that ask. An unlisted export can still be opened by its name. */
  list(): readonly string[];

  /**
   * Opens an export for one connection, or only to tell its size (it is closed right after).
   * Undefined or a rejection refuses the client: `NbdError` EPERM as "policy", ESHUTDOWN as
   * "shutting down", anything else as "unknown export".
   */
  open(name: string, peer: NbdPeer): BlockDevice | undefined | Promise<BlockDevice | undefined>;
}
