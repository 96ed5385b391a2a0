// The replica image: a sparse file, made at the first byte that isn't zero and zero beyond its end.
import { join } from 'node:path';
import type { Files } from './files.js';
import { ZERO_BLOCK_BYTES, isZero, zeroBytes, zeroRuns } from './zeroes.js';

const REPLICA_NAME = 'replica.img';

export class Replica {
  readonly #files: Files;
  readonly #directory: string;
  readonly #path: string;
  /** Bytes of the file. */
  #end: number;
  #nameUnsynced: boolean;

  constructor(files: Files, directory: string) {
    this.#files = files;
    this.#directory = directory;
    this.#path = join(directory, REPLICA_NAME);
    const size = files.size(this.#path);
    this.#end = size ?? 0;
    this.#nameUnsynced = true;
  }

  /** From this byte on the volume was never written: it reads as zeroes. */
  get end(): number {
    return this.#end;
  }

  read(into: Buffer, offset: number): void {
    const stored = this.#stored(into, offset);
    const count = stored.length === 0 ? 0 : this.#files.read(this.#path, stored, offset);
    into.fill(0, count);
  }

  /** As `read`, off the main thread. Bytes written meanwhile may appear or not. */
  async readLater(into: Buffer, offset: number): Promise<void> {
    const stored = this.#stored(into, offset);
    const count = stored.length === 0 ? 0 : await this.#files.readLater(this.#path, stored, offset);
    into.fill(0, count);
  }

  write(data: Buffer, offset: number): void {
    this.#files.write(this.#path, [data], offset);
    this.#end = Math.max(this.#end, offset + data.length);
  }

  /** Overwrites bytes known not to be all zero. */
  writeZeroes(offset: number, length: number): void {
    for (let done = 0; done < length; done += zeroBytes.length) {
      this.write(zeroBytes.subarray(0, Math.min(zeroBytes.length, length - done)), offset + done);
    }
  }

  /** Makes a range zero, leaving holes alone. */
  clear(offset: number, length: number): void {
    const end = Math.min(offset + length, this.#end);
    if (end <= offset) return;
    const old = Buffer.allocUnsafe(end - offset);
    this.read(old, offset);
    zeroRuns(old, offset, (from, to, zero) => {
      if (!zero) this.writeZeroes(offset + from, to - from);
    });
  }

  /** Writes data, or leaves holes alone if it is all zero. */
  restore(data: Buffer, offset: number): void {
    if (data.length >= ZERO_BLOCK_BYTES && isZero(data)) this.clear(offset, data.length);
    else this.write(data, offset);
  }

  /** What was written survives a power cut once this resolves. */
  async commit(): Promise<void> {
    if (this.#files.size(this.#path) === undefined) return;
    await this.#files.datasync(this.#path);
    if (!this.#nameUnsynced) return;
    this.#nameUnsynced = false;
    await this.#files.syncDirectory(this.#directory);
  }

  #stored(into: Buffer, offset: number): Buffer {
    return into.subarray(0, Math.max(0, Math.min(into.length, this.#end - offset)));
  }
}
