// The checksums of the replica image: a file with 4 bytes a block. A block of zeroes has checksum
// zero, so that a hole of the image is a hole of this file too.
//
// Checksums of blocks that a batch writes whole are kept in memory until its end, and then written
// together: after a kill, redo computes them again from DO. All others are written at once.
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { BLOCK_BYTES } from '../ranges/blocks.js';
import type { Files } from '../terms/files.js';
import { isUnreadable, unlessGivenUp } from '../files/unreadable.js';
import { isZero, zeroBytes } from '../ranges/zeroes.js';
import { SumPages } from './sum-pages.js';

export const SUMS_NAME = 'replica.sum';
const SUM_BYTES = 4;
/** Fills in for each unreadable byte of checksums, so that its block fails its check. */
const UNREADABLE = 0xff;
/** Bytes of the file read at once to find checksums that aren't those of zeroes. */
const SEARCH_BYTES = 1024 * 1024;
/** Bytes of the file searched on the main thread: they take microseconds. */
const SEARCH_NOW_BYTES = 16 * 1024;
const ZERO_BLOCK_CRC = crc32(zeroBytes.subarray(0, BLOCK_BYTES));
/**
 * Checksums read or written without a buffer of their own: what one piece touches, and a few more.
 */
const SCRATCH_SUMS = 1024;

/** The checksum of one block. A short last block of the volume is padded with zeroes. */
export function sumOf(block: Buffer): number {
  let crc = crc32(block);
  if (block.length < BLOCK_BYTES) crc = crc32(zeroBytes.subarray(0, BLOCK_BYTES - block.length), crc);
  return sumOfCrc(crc);
}

/** The checksum of a whole block whose CRC is known. */
export function sumOfCrc(crc: number): number {
  return (crc ^ ZERO_BLOCK_CRC) >>> 0;
}

/** The CRC of a whole block whose checksum is known. */
export function crcOfSum(sum: number): number {
  return (sum ^ ZERO_BLOCK_CRC) >>> 0;
}

export class ReplicaSums {
  readonly path: string;
  #files: Files;
  /** Allocated when first needed: a site holds thousands of volumes that nobody writes to. */
  #scratch: Buffer | undefined;
  /** Bytes of the file once all checksums in memory are stored. */
  #bytes: number;
  readonly #pages: SumPages;

  constructor(files: Files, directory: string) {
    this.#files = files;
    this.path = join(directory, SUMS_NAME);
    this.#bytes = files.size(this.path) ?? 0;
    this.#pages = new SumPages({
      read: (into, at) => this.#files.read(this.path, into, at),
      write: (parts, at) => this.#files.write(this.path, parts, at),
    });
  }

  /** Uses these files from now on. Everything must be stored. */
  use(files: Files): void {
    this.#files = files;
    this.forget();
  }

  /** How many blocks the file has a checksum of; later blocks have checksum zero. */
  get blocks(): number {
    return Math.ceil(this.#bytes / SUM_BYTES);
  }

  /** The checksums of `count` blocks; valid until the next call. */
  read(first: number, count: number): SumList {
    const sums = this.#room(count);
    const stored = this.#stored(sums, first);
    const at = first * SUM_BYTES;
    const done = unlessGivenUp(() => (stored.length === 0 ? 0 : this.#files.read(this.path, stored, at)));
    if (done === undefined) return unreadableSums(count);
    this.#pages.copyTo(sums.fill(0, done), at);
    return new SumList(sums);
  }

  /** The checksum of one block. Checksums near it stay in memory, for the blocks written next. */
  readOne(block: number): number {
    const at = block * SUM_BYTES;
    if (at >= this.#bytes) return 0;
    return unlessGivenUp(() => this.#pages.at(at)) ?? unreadableSums(1).at(0);
  }

  /** Reads like `read`, off the main thread. */
  async readLater(first: number, count: number): Promise<SumList> {
    const sums = Buffer.allocUnsafe(count * SUM_BYTES);
    const stored = this.#stored(sums, first);
    const done = stored.length === 0 ? 0 : await this.#files.readLater(this.path, stored, first * SUM_BYTES);
    this.#pages.copyTo(sums.fill(0, done), first * SUM_BYTES);
    return new SumList(sums);
  }

  /** The first of the blocks [from, to) whose checksum isn't that of zeroes; `to` if none is. */
  async firstSet(from: number, to: number): Promise<number> {
    const end = Math.min(this.#bytes, to * SUM_BYTES);
    for (let at = from * SUM_BYTES; at < end;) {
      const part = this.#files.partNow?.(this.path, at, end - at) ?? { length: end - at, isHole: false };
      const length = part.isHole ? part.length : Math.min(part.length, SEARCH_BYTES);
      if (!part.isHole) {
        const sums = Buffer.allocUnsafe(length);
        const done =
          length <= SEARCH_NOW_BYTES
            ? this.#files.read(this.path, sums, at)
            : await this.#files.readLater(this.path, sums, at);
        if (!isZero(sums, 0, done)) return blockOfByte(at + sums.findIndex((byte) => byte !== 0));
      }
      at += length;
    }
    return to;
  }

  /** Writes the checksums of `count` blocks, as returned by `sumAt`. */
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
    this.#pages.copyFrom(sums, at);
    this.#bytes = Math.max(this.#bytes, at + sums.length);
  }

  /**
   * Keeps the checksum of one block in memory until `store`. Only for a block that DO writes whole:
   * after a kill, redo computes its checksum again.
   */
  keep(block: number, sum: number): void {
    const at = block * SUM_BYTES;
    if (sum === 0 && at >= this.#bytes) return;
    try {
      this.#pages.set(at, sum);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      // The disk may still take it, though it does not tell what is beside it.
      this.write(block, 1, () => sum);
    }
    this.#bytes = Math.max(this.#bytes, at + SUM_BYTES);
  }

  /** Writes all checksums that `keep` left in memory. */
  store(): void {
    this.#pages.store();
  }

  /** Lets go of the memory. Everything must be stored. */
  forget(): void {
    this.#pages.clear();
  }

  /**
   * Extends the file to the checksums of `blocks` blocks. New ones are zero: those of blocks of
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
    this.#pages.clear();
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

/** The block whose checksum has this byte of the file. */
function blockOfByte(at: number): number {
  return Math.floor(at / SUM_BYTES);
}

/** Stand-ins for checksums that the disk refuses to read: every block fails its check. */
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
