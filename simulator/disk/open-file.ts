// A file that is opened when first used: ten thousand idle volumes hold no descriptors.
import { dirname } from 'node:path';
import { systemCalls, type DiskCalls } from './disk-calls.js';
import type { Allocated } from './holes.js';
import { SharedSync } from './shared-sync.js';

export class OpenFile {
  readonly path: string;
  #sizeBytes: number;
  readonly #calls: DiskCalls;
  readonly #sync = new SharedSync(async () => this.#datasync());
  #fd: number | undefined;
  #pending = 0;
  /** Descriptors of replaced files that are still in use. */
  readonly #retired: number[] = [];
  /**
   * Whether the next sync must also sync the file's name. True at first: an earlier life may have
   * made the file and been killed before syncing its folder.
   */
  #nameUnsynced = true;

  /** @param sizeBytes size of the file when it is made, as one hole */
  constructor(path: string, sizeBytes: number, calls: DiskCalls = systemCalls) {
    this.path = path;
    this.#sizeBytes = sizeBytes;
    this.#calls = calls;
  }

  /** The descriptor; opens or makes the file first. @throws Error if its size is wrong */
  get fd(): number {
    return (this.#fd ??= this.#open());
  }

  #open(): number {
    const calls = this.#calls;
    const fd = openOrMake(calls, this.path);
    try {
      const { bytes } = calls.size(fd);
      if (bytes === 0) {
        calls.truncate(fd, this.#sizeBytes);
        this.#nameUnsynced = true;
      } else if (bytes !== this.#sizeBytes) {
        throw new Error(`${this.path} has ${bytes} bytes; ${this.#sizeBytes} were expected.`);
      }
      return fd;
    } catch (error) {
      calls.close(fd);
      throw error;
    }
  }

  /**
   * Makes the file larger: the new part is a hole. One that is not made yet will have that size.
   * @throws the system's error: nothing has changed then
   */
  grow(sizeBytes: number): void {
    if (this.#calls.exists(this.path)) {
      this.#calls.truncate(this.fd, sizeBytes);
      this.#nameUnsynced = true;
    }
    this.#sizeBytes = sizeBytes;
  }

  /** Whether nothing was ever written to the file: all of it is a hole. */
  get isHole(): boolean {
    return this.#calls.size(this.fd).isHole;
  }

  readNow(offset: number, length: number): Buffer {
    const data = Buffer.allocUnsafe(length);
    for (let done = 0; done < length;)
      done += someBytes(this.#calls.readNow(this.fd, data, done, offset + done), this.path);
    return data;
  }

  writeNow(offset: number, data: Uint8Array): void {
    for (let done = 0; done < data.length;)
      done += someBytes(this.#calls.writeNow(this.fd, data, done, offset + done), this.path);
  }

  async readLater(offset: number, length: number): Promise<Buffer> {
    const data = Buffer.allocUnsafe(length);
    await this.readInto(offset, data);
    return data;
  }

  /** Fills the buffer with what is at the offset. */
  async readInto(offset: number, data: Buffer): Promise<void> {
    await this.#later(async () => {
      for (let done = 0; done < data.length;)
        done += someBytes(await this.#calls.readLater(this.fd, data, done, offset + done), this.path);
    });
  }

  async writeLater(offset: number, data: Uint8Array): Promise<void> {
    await this.#later(async () => {
      for (let done = 0; done < data.length;)
        done += someBytes(await this.#calls.writeLater(this.fd, data, done, offset + done), this.path);
    });
  }

  /** The part of the file at `offset` that is one hole, or data, as far as anybody knows. */
  async partAt(offset: number, length: number): Promise<Allocated> {
    const { holes } = this.#calls;
    if (holes === undefined) return { length, isHole: false };
    return this.#later(async () => holes.partAt(this.fd, offset, length));
  }

  /** Like `partAt`, on the main thread. */
  partNow(offset: number, length: number): Allocated {
    return this.#calls.holes?.partNow(this.fd, offset, length) ?? { length, isHole: false };
  }

  /** Makes the range a hole. @returns false if that isn't possible: nothing has changed then */
  async punch(offset: number, length: number): Promise<boolean> {
    const { holes } = this.#calls;
    if (holes === undefined) return false;
    return this.#later(async () => holes.punch(this.fd, offset, length));
  }

  /** Like `punch`, on the main thread: for short ranges. */
  punchNow(offset: number, length: number): boolean {
    return this.#calls.holes?.punchNow(this.fd, offset, length) ?? false;
  }

  /** Resolves once everything written before the call is on stable storage. */
  async sync(): Promise<void> {
    return this.#sync.request();
  }

  async #datasync(): Promise<void> {
    await this.#later(async () => this.#calls.datasync(this.fd));
    if (!this.#nameUnsynced) return;
    // Cleared before the wait: a file that replaces this one meanwhile needs its own name synced.
    this.#nameUnsynced = false;
    await this.#calls.syncFolder(dirname(this.path));
  }

  async #later<Result>(action: () => Promise<Result>): Promise<Result> {
    this.#pending += 1;
    try {
      return await action();
    } finally {
      this.#pending -= 1;
      if (this.#pending === 0) for (const fd of this.#retired.splice(0)) this.#calls.close(fd);
    }
  }

  /**
   * Notes that a new file has replaced this one: the next use opens the new one, whatever is still
   * in flight.
   * @param sizeBytes size of the new file
   */
  renewed(sizeBytes = this.#sizeBytes): void {
    this.#sizeBytes = sizeBytes;
    if (this.#fd !== undefined && this.#pending > 0) this.#retired.push(this.#fd);
    else if (this.#fd !== undefined) this.#calls.close(this.#fd);
    this.#fd = undefined;
    this.#nameUnsynced = true;
  }

  /** Closes the descriptor unless it is in use; the next use opens the file again. */
  close(): void {
    if (this.#fd === undefined || this.#pending > 0) return;
    this.#calls.close(this.#fd);
    this.#fd = undefined;
  }
}

function openOrMake(calls: DiskCalls, path: string): number {
  try {
    return calls.open(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    return calls.make(path);
  }
}

/** Guards a retry loop. @throws Error for 0 bytes: the file has shrunk; the loop would never end */
function someBytes(count: number, path: string): number {
  if (count === 0) throw new Error(`${path} is shorter than it was.`);
  return count;
}
