// Tells bytes that the disk refuses to read from damaged ones. A failing disk may answer again in a
// minute; history that was given up is gone. So the disk is asked again, until a person has the
// journal rebuilt.
import type { Files } from '../terms/files.js';

/** The disk refused to read, and a person said that it counts as damage. */
class GivenUp extends Error {
  override readonly name = 'GivenUp';
}

/**
 * What the work answers; undefined if it read what is given up. A disk that only refuses throws.
 */
export function unlessGivenUp<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof GivenUp) return undefined;
    throw error;
  }
}

/** The same for work on another thread. */
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

/** Lets a rebuild take for damaged what the disk refuses to read. */
export class GivingUp {
  #isOver = false;

  /** From now on a disk that refuses is asked again. */
  end(): void {
    this.#isOver = true;
  }

  /** The same files; what they can't read is given up. */
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
