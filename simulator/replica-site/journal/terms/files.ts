// The journal's port to the file system: a test can stop it at any call, as kill -9 or a power cut
// would.

/**
 * Paths are whole paths. Calls that return no promise have taken effect in the page cache when they
 * return.
 */
export interface Files {
  /** Makes the folder and its parents, if missing. */
  makeDirectory(directory: string): void;
  /** Names in the folder; undefined if there is no such folder. */
  list(directory: string): readonly string[] | undefined;
  /** Bytes of the file; undefined if there is no such file. */
  size(path: string): number | undefined;
  /**
   * Fills `into` from byte `at` of the file; returns the bytes read, fewer only at the end of the
   * file.
   */
  read(path: string, into: Uint8Array, at: number): number;
  /** As `read`, off the main thread. */
  readLater(path: string, into: Uint8Array, at: number): Promise<number>;
  /** Writes all the parts, one after another, from byte `at` on; makes the file if missing. */
  write(path: string, parts: readonly Uint8Array[], at: number): void;
  truncate(path: string, length: number): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /**
   * The file's data survives a power cut once this resolves. After a failure the system may have
   * forgotten what it could not write, though it still reads it back: a later success vouches only
   * for what is written again before it.
   */
  datasync(path: string): Promise<void>;
  /**
   * Names made, renamed and removed in the folder survive a power cut once this resolves. Fails for
   * ever once it failed.
   */
  syncDirectory(directory: string): Promise<void>;
  /** The files of this folder won't be used for a while. */
  release(directory: string): void;
}
