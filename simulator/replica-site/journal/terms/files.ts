// The journal's port to the file system. A test can stop it at any call, as kill -9 or a power cut
// would.
import type { Allocated } from '../../../disk/holes.js';

/** Paths are absolute. Calls without a promise have reached the page cache when they return. */
export interface Files {
  /** Makes the folder and its parents, if missing. */
  makeDirectory(directory: string): void;
  /** Names in the folder; undefined if there is no such folder. */
  list(directory: string): readonly string[] | undefined;
  /** Bytes of the file; undefined if there is no such file. */
  size(path: string): number | undefined;
  /**
   * Fills `into` from byte `at` of the file. Returns the bytes read: fewer only at the end of the
   * file.
   */
  read(path: string, into: Uint8Array, at: number): number;
  /** Reads like `read`, off the main thread. */
  readLater(path: string, into: Uint8Array, at: number): Promise<number>;
  /**
   * The part of the file that begins at `at`: a hole, or data. Absent: every byte counts as data.
   */
  partNow?(path: string, at: number, length: number): Allocated;
  /** Writes all parts in order from byte `at` on; creates the file if missing. */
  write(path: string, parts: readonly Uint8Array[], at: number): void;
  truncate(path: string, length: number): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /**
   * Resolves once the file's data survives a power cut. After a failure the system may have dropped
   * data that it could not write, though reads still return them: a later success vouches only for
   * what is written again before it.
   */
  datasync(path: string): Promise<void>;
  /**
   * Resolves once creations, renames and removals in the folder survive a power cut. Once failed,
   * it always fails.
   */
  syncDirectory(directory: string): Promise<void>;
  /** Closes the folder's files: they won't be used for a while. */
  release(directory: string): void;
}
