// Tells bytes that the disk refuses to read (EIO) from damaged ones. A failing disk may answer
// again in a minute, but history that was given up is gone. So the disk is asked again, until a
// person has the journal rebuilt.
import type { Files } from '../terms/files.js';

/** The disk refused to read, and a person said that it counts as damage. */
class GivenUp extends Error {
  override readonly name = 'GivenUp';
}

/**
 * The work's answer; undefined if it read bytes that are given up. Throws if the disk only refuses.
 */
export function unlessGivenUp<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof GivenUp) return undefined;
    throw error;
  }
}

/** Does the same for work on another thread. */
export async function unlessGivenUpLater<Result>(work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof GivenUp) return undefined;
    throw error;
  }
}

/** Whether the disk refused to read, given up or not. */
export function isUnreadable(error: unknown): boolean {
  return error instanceof GivenUp || (error instanceof Error && 'code' in error && error.code === 'EIO');
}

/** Lets a rebuild treat bytes that the disk refuses to read as damaged. */
export class GivingUp {
  #isOver = false;

  /** Ends giving up: from now on a read that the disk refuses throws the disk's error. */
  end(): void {
    this.#isOver = true;
  }

  /** The same files, but bytes that they can't read are given up. */
  of(files: Files): Files {
    return {
      makeDirectory: (directory) => files.makeDirectory(directory),
      list: (directory) => files.list(directory),
      size: (path) => files.size(path),
      read: (path, into, at) => {
        try {
          return files.read(path, into, at);
        } catch (error) {
          throw this.#judged(error);
        }
      },
      readLater: async (path, into, at) => {
        try {
          return await files.readLater(path, into, at);
        } catch (error) {
          throw this.#judged(error);
        }
      },
      partNow: (path, at, length) => {
        try {
          return files.partNow?.(path, at, length) ?? { length, isHole: false };
        } catch (error) {
          throw this.#judged(error);
        }
      },
      write: (path, parts, at) => files.write(path, parts, at),
      truncate: (path, length) => files.truncate(path, length),
      rename: (from, to) => files.rename(from, to),
      remove: (path) => files.remove(path),
      datasync: async (path) => files.datasync(path),
      syncDirectory: async (directory) => files.syncDirectory(directory),
      release: (directory) => files.release(directory),
    };
  }

  #judged(error: unknown): unknown {
    return this.#isOver || !isUnreadable(error) ? error : new GivenUp('the disk refuses to read', { cause: error });
  }
}
