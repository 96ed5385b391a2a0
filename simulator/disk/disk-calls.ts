// The system calls under the files of virtual disks: a test can keep, lose, tear or refuse what
// they write, as a power cut would.
import * as fs from 'node:fs';
import { open } from 'node:fs/promises';

/** What is asked of an open file's size. */
export interface FileSize {
  readonly bytes: number;
  /** Whether no byte of it was ever written. */
  readonly isHole: boolean;
}

/**
 * Descriptors are the system's. Calls that return no promise have taken effect in the page cache
 * when they return.
 */
export interface DiskCalls {
  exists(path: string): boolean;
  /** @throws the system's error: ENOENT if there is no such file */
  open(path: string): number;
  /** Makes a new file. @throws the system's error: EEXIST if there is one */
  make(path: string): number;
  close(fd: number): void;
  size(fd: number): FileSize;
  truncate(fd: number, bytes: number): void;
  /** Bytes read into `data` from its byte `from` on; none at the end of the file. */
  readNow(fd: number, data: Uint8Array, from: number, at: number): number;
  /** Bytes written of `data` from its byte `from` on. */
  writeNow(fd: number, data: Uint8Array, from: number, at: number): number;
  /** As `readNow`, off the main thread. */
  readLater(fd: number, data: Uint8Array, from: number, at: number): Promise<number>;
  /** As `writeNow`, off the main thread. */
  writeLater(fd: number, data: Uint8Array, from: number, at: number): Promise<number>;
  /** The file's data survives a power cut once this resolves. */
  datasync(fd: number): Promise<void>;
  /** Names made, renamed and removed in the folder survive a power cut once this resolves. */
  syncFolder(folder: string): Promise<void>;
  rename(from: string, to: string): void;
  /** No error if there is no such file. */
  remove(path: string): void;
}

class SystemCalls implements DiskCalls {
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
    return fs.writeSync(fd, data, from, data.length - from, at);
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
      fs.write(fd, data, from, data.length - from, at, (error, count) => {
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

/** The real ones. */
export const systemCalls: DiskCalls = new SystemCalls();
