// A file that holds room on a disk for work that makes more of it: on a full disk nothing could be
// let go of otherwise.
import { closeSync, ftruncateSync, openSync, rmSync, statSync, statfsSync, writeSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** What one segment of UNDO needs to be written anew, bytes. */
const RESERVE_BYTES_MAX = 16 * 1024 * 1024;
/** On a small disk it takes no more than this part of it. */
const DISK_SHARE = 64;
/**
 * So many times what is missing of it must be free before it is taken: it must not be what fills
 * the disk.
 */
const FREE_TIMES = 4;
const CHUNK_BYTES = 256 * 1024;

export class RoomReserve {
  readonly #path: string;
  readonly #folder: string;

  /** @param path of the file; nobody else writes it. @param folder on the same disk, and there */
  constructor(path: string, folder: string) {
    this.#path = path;
    this.#folder = folder;
  }

  /** Bytes that it holds now. */
  get bytes(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Takes what is missing, if the disk has plenty. Never rejects. */
  async take(): Promise<void> {
    try {
      const { blocks, bavail, bsize } = statfsSync(this.#folder);
      const target = Math.min(RESERVE_BYTES_MAX, Math.floor((blocks * bsize) / DISK_SHARE));
      if (bavail * bsize < (target - this.bytes) * FREE_TIMES) return;
      while (this.bytes < target) {
        this.#extend(Math.min(CHUNK_BYTES, target - this.bytes));
        await nextTurn();
      }
    } catch {
      // It is tried again, and missed only on a full disk, which is told of.
    }
  }

  /**
   * Gives back so many bytes or more to the disk, for who writes at once.
   * @returns whether there were any
   */
  give(bytes: number): boolean {
    try {
      const held = this.bytes;
      if (held === 0) return false;
      const left = Math.max(0, held - Math.ceil(bytes / CHUNK_BYTES) * CHUNK_BYTES);
      if (left === 0) rmSync(this.#path);
      else this.#open((fd) => ftruncateSync(fd, left));
      return true;
    } catch {
      return false;
    }
  }

  #extend(bytes: number): void {
    // Not zeroes: a disk may store these as nothing.
    const filling = Buffer.alloc(bytes, 'reserve ');
    this.#open((fd) => {
      const at = this.bytes;
      for (let done = 0; done < bytes;) done += writeSync(fd, filling, done, bytes - done, at + done);
    });
  }

  #open(work: (fd: number) => void): void {
    const fd = openSync(this.#path, this.bytes === 0 ? 'w' : 'r+', 0o640);
    try {
      work(fd);
    } finally {
      closeSync(fd);
    }
  }
}
