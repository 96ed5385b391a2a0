// The checksums of the replica image, 4 bytes a block in a file of their own: zero for a block of
// zeroes, so that a hole of the image is a hole here too.
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { BLOCK_BYTES } from '../ranges/blocks.js';
import type { Files } from '../terms/files.js';
import { unlessGivenUp } from '../files/unreadable.js';
import { zeroBytes } from '../ranges/zeroes.js';

export const SUMS_NAME = 'replica.sum';
const SUM_BYTES = 4;
/**
 * Stands for each byte of sums that can't be read: of no use, so that their blocks fail their
 * check.
 */
const UNREADABLE = 0xff;
const ZERO_BLOCK_CRC = crc32(zeroBytes.subarray(0, BLOCK_BYTES));
/**
 * Sums read or written at once without memory of their own: what one batch piece touches, and a
 * little more.
 */
const SCRATCH_SUMS = 1024;

/** The sum of one block; the volume's last one may be short, and is padded with zeroes. */
export function sumOf(block: Buffer): number {
  let crc = crc32(block);
  if (block.length < BLOCK_BYTES) crc = crc32(zeroBytes.subarray(0, BLOCK_BYTES - block.length), crc);
  return sumOfCrc(crc);
}

/** The sum of a whole block of which the CRC is known. */
export function sumOfCrc(crc: number): number {
  return (crc ^ ZERO_BLOCK_CRC) >>> 0;
}

export class ReplicaSums {
  readonly path: string;
  #files: Files;
  /** Made when first needed: a site holds thousands of volumes that nobody writes to. */
  #scratch: Buffer | undefined;
  /** Bytes of the file. */
  #bytes: number;

  constructor(files: Files, directory: string) {
    this.#files = files;
    this.path = join(directory, SUMS_NAME);
    this.#bytes = files.size(this.path) ?? 0;
  }

  /** From now on by way of these. */
  use(files: Files): void {
    this.#files = files;
  }

  /** Blocks that the file has a sum of; those after it have sum zero. */
  get blocks(): number {
    return Math.ceil(this.#bytes / SUM_BYTES);
  }

  /** The sums of `count` blocks, to be looked at before the next call. */
  read(first: number, count: number): SumList {
    const sums = this.#room(count);
    const stored = this.#stored(sums, first);
    const done = unlessGivenUp(() =>
      stored.length === 0 ? 0 : this.#files.read(this.path, stored, first * SUM_BYTES),
    );
    return done === undefined ? unreadableSums(count) : new SumList(sums.fill(0, done));
  }

  /** As `read`, off the main thread. */
  async readLater(first: number, count: number): Promise<SumList> {
    const sums = Buffer.allocUnsafe(count * SUM_BYTES);
    const stored = this.#stored(sums, first);
    const done = stored.length === 0 ? 0 : await this.#files.readLater(this.path, stored, first * SUM_BYTES);
    return new SumList(sums.fill(0, done));
  }

  /** Writes the sums of `count` blocks, each as `sumAt` tells. */
  write(first: number, count: number, sumAt: (block: number) => number): void {
    const sums = this.#room(count);
    let anySet = false;
    for (let index = 0; index < count; index += 1) {
      const sum = sumAt(first + index);
      sums.writeUInt32LE(sum, index * SUM_BYTES);
      anySet ||= sum !== 0;
    }
    const at = first * SUM_BYTES;
    if (!anySet && at >= this.#bytes) return;
    this.#files.write(this.path, [sums], at);
    this.#bytes = Math.max(this.#bytes, at + sums.length);
  }

  /**
   * Makes the file long enough for the sums of `blocks` blocks. Those that are new are of blocks of
   * zeroes.
   */
  extend(blocks: number): void {
    const length = blocks * SUM_BYTES;
    if (length <= this.#bytes) return;
    this.#files.write(this.path, [Buffer.alloc(SUM_BYTES)], length - SUM_BYTES);
    this.#bytes = length;
  }

  removeAll(): void {
    if (this.#files.size(this.path) !== undefined) this.#files.remove(this.path);
    this.#bytes = 0;
  }

  #room(count: number): Buffer {
    if (count > SCRATCH_SUMS) return Buffer.allocUnsafe(count * SUM_BYTES);
    this.#scratch ??= Buffer.alloc(SCRATCH_SUMS * SUM_BYTES);
    return this.#scratch.subarray(0, count * SUM_BYTES);
  }

  #stored(sums: Buffer, first: number): Buffer {
    return sums.subarray(0, Math.max(0, Math.min(sums.length, this.#bytes - first * SUM_BYTES)));
  }
}

/** Sums that the disk refuses to read: every block fails its check. */
export function unreadableSums(count: number): SumList {
  return new SumList(Buffer.alloc(count * SUM_BYTES, UNREADABLE));
}

export class SumList {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  at(index: number): number {
    return this.#bytes.readUInt32LE(index * SUM_BYTES);
  }
}
