// The real file system, with a bounded set of open files: thousands of volumes share one process.
import * as fs from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Allocated, systemHoles } from '../../../disk/holes.js';
import { SharedSync } from '../../../disk/shared-sync.js';
import { IMAGE_WRITE_BYTES_MAX } from '../../../disk/write-size.js';
import type { Files } from '../terms/files.js';

/** Most open files, of all volumes together: well under a process's usual limit of 4096. */
const OPEN_FILES_MAX = 1024;
/** Most parts of one vectored write: IOV_MAX on Linux. */
const WRITE_PARTS_MAX = 1024;
/** Readable by the process's user and group only: it is a guest's data. */
const FILE_MODE = 0o640;

interface OpenFile {
  readonly fd: number;
  /** Operations on other threads that use the descriptor now. */
  users: number;
  /** Whether its last user must close it. */
  dropped: boolean;
  /** Whether it was used since room was last made: then it stays open once more. */
  isRecent: boolean;
}

export class NodeFiles implements Files {
  readonly #openFilesMax: number;
  /**
   * Open files by path. The first one that is not recent is closed when room is needed: moving a
   * file to the end at each use would cost more than the use.
   */
  readonly #open = new Map<string, OpenFile>();
  /** Syncs by folder. Kept for ever, so that one that failed never succeeds later. */
  readonly #directorySyncs = new Map<string, SharedSync>();

  constructor(openFilesMax = OPEN_FILES_MAX) {
    this.#openFilesMax = openFilesMax;
  }

  makeDirectory(directory: string): void {
    fs.mkdirSync(directory, { recursive: true });
  }

  list(directory: string): readonly string[] | undefined {
    return missingAsUndefined(() => fs.readdirSync(directory));
  }

  size(path: string): number | undefined {
    return fs.statSync(path, { throwIfNoEntry: false })?.size;
  }

  read(path: string, into: Uint8Array, at: number): number {
    const { fd } = this.#use(path);
    let done = 0;
    return naming(path, () => {
      while (done < into.length) {
        const count = fs.readSync(fd, into, done, into.length - done, at + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    });
  }

  readLater(path: string, into: Uint8Array, at: number): Promise<number> {
    return this.#keepingOpen(path, async (fd) => {
      let done = 0;
      while (done < into.length) {
        const count = await readOnce(fd, into, done, at + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    });
  }

  partNow(path: string, at: number, length: number): Allocated {
    const { fd } = this.#use(path);
    return naming(path, () => systemHoles.partNow(fd, at, length));
  }

  write(path: string, parts: readonly Uint8Array[], at: number): void {
    const { fd } = this.#use(path, fs.constants.O_CREAT);
    let position = at;
    naming(path, () => {
      for (let first = 0; first < parts.length; first += WRITE_PARTS_MAX) {
        const some = parts.length <= WRITE_PARTS_MAX ? parts : parts.slice(first, first + WRITE_PARTS_MAX);
        position += writeAll(fd, some, position);
      }
    });
  }

  truncate(path: string, length: number): void {
    const { fd } = this.#use(path);
    naming(path, () => fs.ftruncateSync(fd, length));
  }

  rename(from: string, to: string): void {
    this.#drop(from);
    this.#drop(to);
    fs.renameSync(from, to);
  }

  remove(path: string): void {
    this.#drop(path);
    fs.rmSync(path, { force: true });
  }

  datasync(path: string): Promise<void> {
    return this.#keepingOpen(
      path,
      (fd) =>
        new Promise((resolve, reject) => {
          fs.fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
        }),
    );
  }

  syncDirectory(directory: string): Promise<void> {
    let sync = this.#directorySyncs.get(directory);
    if (sync === undefined) {
      sync = new SharedSync(() => syncOnce(directory));
      this.#directorySyncs.set(directory, sync);
    }
    return sync.request();
  }

  release(directory: string): void {
    for (const path of this.#open.keys()) if (dirname(path) === directory) this.#drop(path);
  }

  #use(path: string, flags = 0): OpenFile {
    const known = this.#open.get(path);
    if (known !== undefined) {
      known.isRecent = true;
      return known;
    }
    const fd = fs.openSync(path, fs.constants.O_RDWR | flags, FILE_MODE);
    if (this.#open.size >= this.#openFilesMax) this.#makeRoom();
    const file = { fd, users: 0, dropped: false, isRecent: false };
    this.#open.set(path, file);
    return file;
  }

  /** Closes the first file that was not used since it was last passed over. */
  #makeRoom(): void {
    for (const [path, file] of this.#open) {
      if (!file.isRecent) {
        this.#drop(path);
        return;
      }
      // The loop reaches it again at the end, if all were recent.
      file.isRecent = false;
      this.#open.delete(path);
      this.#open.set(path, file);
    }
  }

  #drop(path: string): void {
    const file = this.#open.get(path);
    if (file === undefined) return;
    this.#open.delete(path);
    file.dropped = true;
    if (file.users === 0) fs.closeSync(file.fd);
  }

  async #keepingOpen<Result>(path: string, work: (fd: number) => Promise<Result>): Promise<Result> {
    const file = this.#use(path);
    file.users += 1;
    try {
      return await work(file.fd);
    } catch (error) {
      throw named(path, error);
    } finally {
      file.users -= 1;
      if (file.dropped && file.users === 0) fs.closeSync(file.fd);
    }
  }
}

/**
 * The process's file system: all volumes share it, so that the limit on open files holds for all
 * together.
 */
export const processFiles: Files = new NodeFiles();

async function syncOnce(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Adds the path to errors of the system, which name no file if the call took a descriptor. */
function naming<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw named(path, error);
  }
}

function named(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || 'path' in error) return error;
  error.message += ` '${path}'`;
  return Object.assign(error, { path });
}

function readOnce(fd: number, into: Uint8Array, start: number, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, into, start, into.length - start, at, (error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}

function writeAll(fd: number, parts: readonly Uint8Array[], at: number): number {
  const [only] = parts;
  // A plain write costs less than a vectored one, and most are of one part.
  if (parts.length === 1 && only !== undefined) return writePlain(fd, only, 0, at);
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  const done = fs.writevSync(fd, parts, at);
  return done === total ? total : writePlain(fd, Buffer.concat(parts), done, at);
}

/** Writes `data` to file offset `at` without its first `done` bytes, which are there. */
function writePlain(fd: number, data: Uint8Array, done: number, at: number): number {
  for (let next = done; next < data.length;)
    next += fs.writeSync(fd, data, next, Math.min(data.length - next, IMAGE_WRITE_BYTES_MAX), at + next);
  return data.length;
}

function missingAsUndefined<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
