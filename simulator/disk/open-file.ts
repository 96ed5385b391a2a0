// A file by its descriptor, opened when it is first needed: ten thousand idle volumes hold no descriptors.
import {
  closeSync,
  fdatasync,
  fstatSync,
  fsync,
  ftruncateSync,
  open,
  openSync,
  read,
  readSync,
  write,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { SharedSync } from './shared-sync.js';

const fdatasyncLater = promisify(fdatasync);
const fsyncLater = promisify(fsync);
const openLater = promisify(open);
const readLater = promisify(read);
const writeLater = promisify(write);

export class OpenFile {
  readonly path: string;
  readonly #sizeBytes: number;
  readonly #sync = new SharedSync(async () => this.#fdatasync());
  #fd: number | undefined;
  #pending = 0;
  /** Set when the file was made or put in its place in this life: its name must be on stable storage too. */
  #nameUnsynced = false;

  /** @param sizeBytes what the file is made as, as a hole. */
  constructor(path: string, sizeBytes: number) {
    this.path = path;
    this.#sizeBytes = sizeBytes;
  }

  /** Opens the file, and makes it if it is missing. @throws Error when it has another size. */
  get fd(): number {
    return (this.#fd ??= this.#open());
  }

  #open(): number {
    const fd = openOrMake(this.path);
    try {
      const { size } = fstatSync(fd);
      if (size === 0) {
        ftruncateSync(fd, this.#sizeBytes);
        this.#nameUnsynced = true;
      } else if (size !== this.#sizeBytes) {
        throw new Error(`${this.path} has ${size} bytes; ${this.#sizeBytes} were expected.`);
      }
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Whether nothing was ever written to it: all of it is a hole. */
  get isHole(): boolean {
    return fstatSync(this.fd).blocks === 0;
  }

  readNow(offset: number, length: number): Buffer {
    const data = Buffer.allocUnsafe(length);
    for (let done = 0; done < length;)
      done += someBytes(readSync(this.fd, data, done, length - done, offset + done), this.path);
    return data;
  }

  writeNow(offset: number, data: Uint8Array): void {
    for (let done = 0; done < data.length;)
      done += someBytes(writeSync(this.fd, data, done, data.length - done, offset + done), this.path);
  }

  async readLater(offset: number, length: number): Promise<Buffer> {
    const data = Buffer.allocUnsafe(length);
    await this.#later(async () => {
      for (let done = 0; done < length;) {
        const { bytesRead } = await readLater(this.fd, data, done, length - done, offset + done);
        done += someBytes(bytesRead, this.path);
      }
    });
    return data;
  }

  async writeLater(offset: number, data: Uint8Array): Promise<void> {
    await this.#later(async () => {
      for (let done = 0; done < data.length;) {
        const { bytesWritten } = await writeLater(this.fd, data, done, data.length - done, offset + done);
        done += someBytes(bytesWritten, this.path);
      }
    });
  }

  /** Everything written before is on stable storage when it resolves. */
  async sync(): Promise<void> {
    return this.#sync.request();
  }

  async #fdatasync(): Promise<void> {
    await this.#later(async () => fdatasyncLater(this.fd));
    if (!this.#nameUnsynced) return;
    const folder = await openLater(dirname(this.path), 'r');
    try {
      await fsyncLater(folder);
      this.#nameUnsynced = false;
    } finally {
      closeSync(folder);
    }
  }

  async #later(action: () => Promise<void>): Promise<void> {
    this.#pending += 1;
    try {
      await action();
    } finally {
      this.#pending -= 1;
    }
  }

  /** Somebody put a new file in its place. */
  renewed(): void {
    this.close();
    this.#nameUnsynced = true;
  }

  /** Gives the descriptor back unless it is being used; the next use opens the file again. */
  close(): void {
    if (this.#fd === undefined || this.#pending > 0) return;
    closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function openOrMake(path: string): number {
  try {
    return openSync(path, 'r+');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    return openSync(path, 'wx+');
  }
}

/** @throws Error for none: the file is shorter than it was, and asking again would never end. */
function someBytes(count: number, path: string): number {
  if (count === 0) throw new Error(`${path} is shorter than it was.`);
  return count;
}
