// The system calls on the files of virtual disks, as an interface: a test can delay, lose, tear or
// refuse writes, as a power cut would.
import * as fs from 'node:fs';
import { open } from 'node:fs/promises';
import { systemHoles, type HoleCalls } from './holes.js';
import { IMAGE_WRITE_BYTES_MAX } from './write-size.js';

/** The size of an open file. */
export interface FileSize {
  readonly bytes: number;
  /** Whether no byte was ever written. */
  readonly isHole: boolean;
}

/**
 * File calls by system descriptor. A call that returns no promise has taken effect in the page
 * cache when it returns.
 */
export interface DiskCalls {
  exists(path: string): boolean;
  /** Opens a file. @throws the system's error; ENOENT if there is no such file */
  open(path: string): number;
  /** Makes a new file. @throws the system's error; EEXIST if it exists */
  make(path: string): number;
  close(fd: number): void;
  size(fd: number): FileSize;
  truncate(fd: number, bytes: number): void;
  /**
   * Reads from file offset `at` into `data`, starting at its byte `from`. @returns bytes read; 0 at
   * the end of the file
   */
  readNow(fd: number, data: Uint8Array, from: number, at: number): number;
  /**
   * Writes `data`, starting at its byte `from`, to file offset `at`. @returns bytes written, which
   * may be fewer than there are
   */
  writeNow(fd: number, data: Uint8Array, from: number, at: number): number;
  /** Like `readNow`, off the main thread. */
  readLater(fd: number, data: Uint8Array, from: number, at: number): Promise<number>;
  /** Like `writeNow`, off the main thread. */
  writeLater(fd: number, data: Uint8Array, from: number, at: number): Promise<number>;
  /** Resolves once the file's data survives a power cut. */
  datasync(fd: number): Promise<void>;
  /** Resolves once names made, renamed and removed in the folder survive a power cut. */
  syncFolder(folder: string): Promise<void>;
  rename(from: string, to: string): void;
  /** Removes a file; no error if there is none. */
  remove(path: string): void;
  /** Absent: every byte counts as data, and no hole is made. */
  readonly holes?: HoleCalls;
}

class SystemCalls implements DiskCalls {
  readonly holes = systemHoles;

  exists(path: string): boolean {
    return fs.existsSync(path);
  }

  open(path: string): number {
    return fs.openSync(path, 'r+');
  }

  make(path: string): number {
    return fs.openSync(path, 'wx+');
  }

  close(fd: number): void {
    fs.closeSync(fd);
  }

  size(fd: number): FileSize {
    const { size, blocks } = fs.fstatSync(fd);
    return { bytes: size, isHole: blocks === 0 };
  }

  truncate(fd: number, bytes: number): void {
    fs.ftruncateSync(fd, bytes);
  }

  readNow(fd: number, data: Uint8Array, from: number, at: number): number {
    return fs.readSync(fd, data, from, data.length - from, at);
  }

  writeNow(fd: number, data: Uint8Array, from: number, at: number): number {
    return fs.writeSync(fd, data, from, Math.min(data.length - from, IMAGE_WRITE_BYTES_MAX), at);
  }

  readLater(fd: number, data: Uint8Array, from: number, at: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(fd, data, from, data.length - from, at, (error, count) => {
        if (error === null) resolve(count);
        else reject(error);
      });
    });
  }

  writeLater(fd: number, data: Uint8Array, from: number, at: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.write(fd, data, from, Math.min(data.length - from, IMAGE_WRITE_BYTES_MAX), at, (error, count) => {
        if (error === null) resolve(count);
        else reject(error);
      });
    });
  }

  datasync(fd: number): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(fd, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  async syncFolder(folder: string): Promise<void> {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  rename(from: string, to: string): void {
    fs.renameSync(from, to);
  }

  remove(path: string): void {
    fs.rmSync(path, { force: true });
  }
}

/** The real system calls. */
export const systemCalls: DiskCalls = new SystemCalls();
