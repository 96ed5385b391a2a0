// A file that reserves space for work that frees more: without it nothing could be freed on a full
// disk.
import { closeSync, ftruncateSync, openSync, rmSync, statSync, statfsSync, writeSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Size of the reserve, bytes: what rewriting one segment of UNDO needs. */
const RESERVE_BYTES_MAX = 16 * 1024 * 1024;
/** Divisor of the disk's size: on a small disk the reserve takes no more than 1/64. */
const DISK_SHARE = 64;
/**
 * The disk must have this many times the missing bytes free before the reserve takes them: the
 * reserve must not be what fills the disk.
 */
const FREE_TIMES = 4;
const CHUNK_BYTES = 256 * 1024;

export class RoomReserve {
  readonly #path: string;
  readonly #folder: string;

  /**
   * @param path the reserve's file; nobody else writes it. @param folder an existing folder on its
   * disk
   */
  constructor(path: string, folder: string) {
    this.#path = path;
    this.#folder = folder;
  }

  /** Bytes held now. */
  get bytes(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Extends the reserve to its full size if the disk has plenty of space. Never rejects. */
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
      // The next call tries again. The reserve is missed only on a full disk, which health reports.
    }
  }

  /**
   * Frees `bytes`, or all that the reserve has if that is less, for a caller that writes at once.
   * @returns whether anything was freed
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
    // Not zeroes: a disk may store zeroes without taking space.
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
