// The replica image and its checksums. The image is a sparse file, created at the first byte that
// isn't zero; beyond its end all bytes are zero.
//
// Why no crash parts a block from its checksum: before a piece is written, its UNDO is, with the
// later checksums of the blocks that the piece overwrites in part. DO is kept until image and
// checksums are written (with sync: synced). Whatever part of both a crash leaves, redo writes
// every byte of the pieces again. It computes the checksums of blocks that they cover whole from
// DO's own checked data, and takes the others from UNDO. None is computed from bytes of the image,
// so damage there, however old, stays visible.
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Allocated } from '../../../disk/holes.js';
import { BlockRanges } from '../ranges/block-ranges.js';
import { SharedSync } from '../../../disk/shared-sync.js';
import { BLOCK_BYTES, blockCeiling, blockOf, blockStart } from '../ranges/blocks.js';
import type { ByteRange } from '../terms/damage.js';
import type { EdgeSum } from '../segments/edge-sums.js';
import type { Files } from '../terms/files.js';
import { ReplicaSums, sumOf, unreadableSums } from './replica-sums.js';
import type { SumList } from './replica-sums.js';
import { isUnreadable, unlessGivenUp } from '../files/unreadable.js';
import { isZero, zeroBytes, zeroRuns } from '../ranges/zeroes.js';

export const REPLICA_NAME = 'replica.img';
/** Bytes of the image read at once to build its checksums. */
const BUILD_BYTES = 1024 * 1024;
/**
 * Most bytes of the image read at an opening, to find damaged blocks that were overwritten since.
 */
const CHECK_AGAIN_BYTES_MAX = 64 * 1024 * 1024;
/** Checksums written in one turn of the event loop for blocks that count as damaged. */
const CONDEMNED_AT_ONCE = 64 * 1024;
/** Checksums examined in one turn of the event loop: those of 64 MiB. */
const SUMS_AT_ONCE = 16 * 1024;
/** XOR mask that makes a right checksum wrong. */
const WRONG = 0x5a5a_5a5a;
/**
 * The least step in which the stored end of the image grows, bytes; it doubles. It must be stored
 * before the image is written up to it.
 */
const REACH_STEP_BYTES = 16 * 1024 * 1024;

/** A block whose bytes and checksum don't match. */
export interface DamagedBlock {
  readonly block: number;
  /**
   * XOR of the checksum of its bytes and the stored one. Every later checksum keeps it, until the
   * block is written whole.
   */
  readonly difference: number;
}

/** What a read of whole blocks found. */
export interface CheckedRead {
  readonly damaged: readonly DamagedBlock[];
  /** The checksum of what was read, if that is one sound block. */
  readonly sum: number | undefined;
}

const undamaged: readonly DamagedBlock[] = [];

export class Replica {
  readonly path: string;
  #sizeBytes: number;
  #files: Files;
  readonly #directory: string;
  readonly #sums: ReplicaSums;
  /** Bytes of the image file. */
  #bytes: number;
  /** How many of the two files (image, checksums) have a name that survives a power cut. */
  #namesSynced = 0;
  /** Blocks known to fail their check. */
  readonly #bad = new BlockRanges();
  #onFound: (() => void) | undefined;
  /**
   * Shared, because distribution and retention both sync: the system reports a failure once, and
   * neither may be told of success instead.
   */
  readonly #sync = new SharedSync(() => this.#commit());

  constructor(files: Files, directory: string, sizeBytes: number) {
    this.#files = files;
    this.#directory = directory;
    this.#sizeBytes = sizeBytes;
    this.path = join(directory, REPLICA_NAME);
    this.#bytes = files.size(this.path) ?? 0;
    this.#sums = new ReplicaSums(files, directory);
  }

  /** Size of the volume, bytes. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Takes in a larger size. The former one is of whole blocks. */
  grow(sizeBytes: number): void {
    this.#sizeBytes = sizeBytes;
  }

  /** Uses these files from now on. */
  use(files: Files): void {
    this.#files = files;
    this.#sums.use(files);
  }

  /** Sets what is called when a read finds a damaged block that was not known yet. */
  onDamageFound(onFound: () => void): void {
    this.#onFound = onFound;
  }

  /**
   * End of the blocks that were ever written, in the image or its checksums; a multiple of a block.
   */
  get end(): number {
    return Math.max(blockCeiling(this.#bytes), this.#sums.blocks * BLOCK_BYTES);
  }

  /** Parts of the volume now known to fail their check. */
  get damagedRanges(): readonly ByteRange[] {
    return this.#bad.bytes(this.sizeBytes);
  }

  /**
   * Extends the checksum file for an image that ends at `end`, and returns the end to store before
   * the image is written beyond the `present` one. A file shorter than its stored end has lost
   * something.
   */
  reachFor(end: number, present: number): number {
    const step = Math.max(end, present * 2, REACH_STEP_BYTES);
    const reach = Math.min(blockCeiling(step), blockCeiling(this.sizeBytes));
    this.#sums.extend(reach / BLOCK_BYTES);
    return reach;
  }

  /**
   * Marks blocks up to `reach` whose checksums are gone as damaged. Tells whether there were any.
   */
  async condemnUnknown(reach: number): Promise<boolean> {
    const first = this.#sums.blocks;
    const last = blockOf(blockCeiling(reach));
    for (let from = first; from < last; from += CONDEMNED_AT_ONCE) {
      const to = Math.min(last, from + CONDEMNED_AT_ONCE);
      this.#sums.write(from, to - from, () => WRONG);
      this.#bad.add(from, to);
      await nextTurn();
    }
    return first < last;
  }

  /**
   * Finds damaged blocks beyond the end of an image that was cut short or is gone: files only grow,
   * so a checksum there must be zero. Reads the checksums between the image's end and its stored
   * end.
   */
  async findCutOff(): Promise<void> {
    for (let from = blockOf(blockCeiling(this.#bytes)); from < this.#sums.blocks; from += SUMS_AT_ONCE) {
      const count = Math.min(SUMS_AT_ONCE, this.#sums.blocks - from);
      const sums = this.#sums.read(from, count);
      const isSet = (index: number): boolean => sums.at(index) !== 0;
      const indexes = Array.from({ length: count }, (_, index) => index);
      const first = indexes.find(isSet);
      const last = indexes.findLast(isSet);
      if (first !== undefined && last !== undefined) this.#bad.add(from + first, from + last + 1);
      await nextTurn();
    }
    if (this.#bytes % BLOCK_BYTES > 0) await this.check([{ offset: this.#bytes - 1, length: 1 }]);
  }

  /** Makes every block that the range touches fail its check until it is written whole. */
  condemn(offset: number, length: number): void {
    const { from, to } = this.widened(offset, offset + length);
    for (let at = from; at < to; at += BLOCK_BYTES) {
      const block = blockOf(at);
      this.#sums.write(block, 1, () => (this.#computedSum(block) ^ WRONG) >>> 0);
      this.#bad.add(block, block + 1);
    }
  }

  /**
   * Checks again the ranges that were damaged once. Beyond {@link CHECK_AGAIN_BYTES_MAX} it counts
   * the rest as still damaged.
   */
  async checkAgain(ranges: readonly ByteRange[]): Promise<void> {
    let left = CHECK_AGAIN_BYTES_MAX;
    for (const { offset, length } of ranges) {
      const { from, to } = this.widened(offset, offset + length);
      this.#bad.add(blockOf(from), blockOf(blockCeiling(to)));
      if (length <= left) await this.check([{ offset, length }]);
      left -= length;
    }
  }

  /** Reads the ranges and notes which of their blocks fail their check. */
  async check(ranges: readonly ByteRange[]): Promise<void> {
    const window = Buffer.allocUnsafe(BUILD_BYTES);
    for (const range of ranges) {
      const { from, to } = this.widened(range.offset, range.offset + range.length);
      for (let offset = from; offset < to; offset += window.length) {
        this.read(window.subarray(0, Math.min(window.length, to - offset)), offset);
        await nextTurn();
      }
    }
  }

  /** The volume's bytes [from, to) widened to whole blocks. */
  widened(from: number, to: number): { readonly from: number; readonly to: number } {
    return { from: blockStart(from), to: Math.min(blockCeiling(to), this.sizeBytes) };
  }

  /**
   * Reads whole blocks and checks them. The answer is final: both files are written synchronously.
   * @throws the system's error for blocks that the disk refuses to read, unless they are known to
   * be damaged
   */
  read(into: Buffer, offset: number): CheckedRead {
    const checked = this.#checked(into, offset);
    const { damaged } = checked;
    const isNew = damaged.some(({ block }) => !this.#bad.has(block));
    if (!this.#bad.isEmpty) this.#bad.remove(blockOf(offset), blockOf(offset) + blockCount(into));
    for (const { block } of damaged) this.#bad.add(block, block + 1);
    if (isNew) this.#onFound?.();
    return checked;
  }

  /**
   * Reads like `read`, off the main thread. Bytes written meanwhile may appear or not, but each
   * block is of one instant.
   */
  async readLater(into: Buffer, offset: number): Promise<readonly DamagedBlock[]> {
    const stored = this.#stored(into, offset);
    const reading = Promise.all([
      stored.length === 0 ? 0 : this.#files.readLater(this.path, stored, offset),
      this.#sums.readLater(blockOf(offset), blockCount(into)),
    ]);
    const both = await reading.catch((error: unknown) => {
      if (!isUnreadable(error)) throw error;
      return undefined;
    });
    if (both === undefined) return this.read(into, offset).damaged;
    const [count, sums] = both;
    into.fill(0, count);
    // Distribution may have written between the reads of block and checksum, so read again
    // synchronously.
    return checkBlocks(into, offset, sums).damaged.flatMap(({ block }) => {
      const start = block * BLOCK_BYTES - offset;
      return this.read(into.subarray(start, start + BLOCK_BYTES), block * BLOCK_BYTES).damaged;
    });
  }

  /**
   * Which parts of the range surely read as zeroes: holes of the image whose blocks all have the
   * checksum of zeroes. From the range's start on, no more than `countMax` parts.
   */
  async parts(offset: number, length: number, countMax: number): Promise<readonly Allocated[]> {
    const parts: Allocated[] = [];
    const end = offset + length;
    for (let at = offset; at < end && parts.length < countMax; at += parts.at(-1)?.length ?? length) {
      parts.push(await this.partFrom(at, end - at));
    }
    return parts;
  }

  /**
   * What is at `offset`: surely zeroes, as `parts` tells them, or data.
   * @returns a part that is no longer than `length`
   */
  async partFrom(offset: number, length: number): Promise<Allocated> {
    const within = Math.min(length, this.#bytes - offset);
    const data = { length: Math.min(length, BLOCK_BYTES), isHole: false };
    try {
      const part =
        within <= 0
          ? { length, isHole: true }
          : (this.#files.partNow?.(this.path, offset, within) ?? { length: within, isHole: false });
      if (!part.isHole) return part;
      const set = await this.#sums.firstSet(blockOf(offset), blockOf(blockCeiling(offset + part.length)));
      const zeroes = Math.min(part.length, set * BLOCK_BYTES - offset);
      return zeroes > 0 ? { length: zeroes, isHole: true } : data;
    } catch (error) {
      // A read finds out which blocks can't be read.
      if (!isUnreadable(error)) throw error;
      return data;
    }
  }

  /**
   * Writes bytes and checksums. `known` has the checksums of blocks written in part, and of others
   * if known. The known checksum of one whole block is left in memory until `storeSums`.
   */
  write(data: Buffer, offset: number, known: readonly EdgeSum[]): void {
    this.#writeImage(data, offset);
    this.#heal(offset, data.length);
    const [one] = known;
    if (data.length === BLOCK_BYTES && offset % BLOCK_BYTES === 0 && one !== undefined) {
      this.#sums.keep(one.block, one.sum);
      return;
    }
    const first = blockOf(offset);
    this.#sums.write(first, blockOf(offset + data.length - 1) - first + 1, (block) => {
      for (const one of known) if (one.block === block) return one.sum;
      const start = block * BLOCK_BYTES - offset;
      return sumOf(data.subarray(start, start + BLOCK_BYTES));
    });
  }

  /**
   * Overwrites bytes that are not all zero. Blocks overwritten in part get their checksums from
   * `writeSums`.
   */
  writeZeroes(offset: number, length: number): void {
    this.#zeroImage(offset, length);
    this.#heal(offset, length);
    const first = blockOf(blockCeiling(offset));
    const last = this.#wholeBlocksEnd(offset + length);
    if (last > first) this.#sums.write(first, last - first, () => 0);
  }

  /** Puts back the bytes from before a failed `write`: the stored checksums are still theirs. */
  putBack(data: Buffer, offset: number): void {
    this.#writeImage(data, offset);
  }

  putBackZeroes(offset: number, length: number): void {
    const end = Math.min(offset + length, this.#files.size(this.path) ?? 0);
    if (end > offset) this.#zeroImage(offset, end - offset);
  }

  /** Writes the checksums that `write` left in memory. Call it at the end of a batch. */
  storeSums(): void {
    this.#sums.store();
  }

  /** Lets go of memory that only a next batch has a use for. */
  rest(): void {
    this.#sums.forget();
  }

  writeSums(edges: readonly EdgeSum[]): void {
    for (const { block, sum } of edges) this.#sums.write(block, 1, () => sum);
  }

  /**
   * Writes a piece again, whatever part of it is there. `loggedSum` returns the checksum that UNDO
   * has for a block; if it has none, another piece of the same record completes the block. Without
   * `loggedSum`, because UNDO itself is damaged, a block written in part that failed its check
   * before must fail it afterwards. Zeroes are written wherever the bytes were not zero before
   * (`overwritten`), even if they read as zeroes: a sync may have failed, and only writing helps
   * then.
   */
  redo(
    offset: number,
    length: number,
    data: Buffer | undefined,
    loggedSum: ((block: number) => number | undefined) | undefined,
    overwritten: readonly ByteRange[],
  ): void {
    const end = data === undefined ? Math.min(offset + length, this.end) : offset + length;
    if (end <= offset) return;
    const differences = loggedSum === undefined ? this.#differences([blockOf(offset), blockOf(end - 1)]) : undefined;
    this.#heal(offset, end - offset);
    if (data === undefined) this.#clear(offset, end - offset, overwritten);
    else if (data.length >= BLOCK_BYTES && isZero(data)) this.#clear(offset, data.length, overwritten);
    else this.#writeImage(data, offset);
    const first = blockOf(offset);
    this.#sums.write(first, blockOf(end - 1) - first + 1, (block) => {
      const start = block * BLOCK_BYTES;
      const whole = start >= offset && Math.min(start + BLOCK_BYTES, this.sizeBytes) <= end;
      if (!whole) {
        return loggedSum?.(block) ?? (this.#computedSum(block) ^ (differences?.get(block) ?? 0)) >>> 0;
      }
      return data === undefined ? 0 : sumOf(data.subarray(start - offset, start - offset + BLOCK_BYTES));
    });
  }

  #checked(into: Buffer, offset: number): CheckedRead {
    try {
      this.#readImage(into, offset);
      if (into.length === BLOCK_BYTES) return checkBlock(into, offset, this.#sums.readOne(blockOf(offset)));
      return checkBlocks(into, offset, this.#sums.read(blockOf(offset), blockCount(into)));
    } catch (error) {
      if (!isUnreadable(error)) throw error;
    }
    const damaged: DamagedBlock[] = [];
    for (let start = 0; start < into.length; start += BLOCK_BYTES) {
      damaged.push(...this.#checkedBlock(into.subarray(start, start + BLOCK_BYTES), offset + start));
    }
    return { damaged, sum: undefined };
  }

  /**
   * Reads one block. An unreadable block that is known to be damaged counts as zeroes: it has
   * nothing left to lose.
   */
  #checkedBlock(into: Buffer, offset: number): readonly DamagedBlock[] {
    try {
      this.#readImage(into, offset);
      return checkBlocks(into, offset, this.#sums.read(blockOf(offset), 1)).damaged;
    } catch (error) {
      if (!isUnreadable(error) || !this.#bad.has(blockOf(offset))) throw error;
      return checkBlocks(into.fill(0), offset, unreadableSums(1)).damaged;
    }
  }

  /** XOR of the computed and stored checksums of blocks that are about to be written in part. */
  #differences(blocks: readonly number[]): ReadonlyMap<number, number> {
    return new Map(blocks.map((block) => [block, (this.#computedSum(block) ^ this.#sums.read(block, 1).at(0)) >>> 0]));
  }

  /** Notes that blocks written whole are no longer damaged. */
  #heal(offset: number, length: number): void {
    if (this.#bad.isEmpty) return;
    this.#bad.remove(blockOf(blockCeiling(offset)), this.#wholeBlocksEnd(offset + length));
  }

  /** Computes all checksums from the image of a folder that had none. */
  async buildSums(): Promise<void> {
    this.#sums.removeAll();
    const window = Buffer.allocUnsafe(BUILD_BYTES);
    const end = this.widened(0, this.#bytes).to;
    for (let offset = 0; offset < end; offset += window.length) {
      const bytes = window.subarray(0, Math.min(window.length, end - offset));
      this.#readImage(bytes, offset);
      this.#sums.write(blockOf(offset), blockCount(bytes), (block) => {
        const start = block * BLOCK_BYTES - offset;
        return sumOf(bytes.subarray(start, start + BLOCK_BYTES));
      });
      await nextTurn();
    }
  }

  /**
   * Resolves once all writes survive a power cut. Once failed, it always fails; recovery rewrites
   * from DO.
   */
  commit(): Promise<void> {
    return this.#sync.request();
  }

  async #commit(): Promise<void> {
    const files = (this.#bytes > 0 ? 1 : 0) + (this.#sums.blocks > 0 ? 1 : 0);
    if (this.#bytes > 0) await this.#files.datasync(this.path);
    if (this.#sums.blocks > 0) await this.#files.datasync(this.#sums.path);
    if (files === this.#namesSynced) return;
    await this.#files.syncDirectory(this.#directory);
    this.#namesSynced = files;
  }

  /** The first block that bytes up to `end` don't fill. */
  #wholeBlocksEnd(end: number): number {
    return end >= this.sizeBytes ? blockOf(blockCeiling(end)) : blockOf(end);
  }

  #computedSum(block: number): number {
    const start = block * BLOCK_BYTES;
    const bytes = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, this.sizeBytes - start));
    this.#readImage(bytes, start);
    return sumOf(bytes);
  }

  #readImage(into: Buffer, offset: number): void {
    const stored = this.#stored(into, offset);
    const count = unlessGivenUp(() => (stored.length === 0 ? 0 : this.#files.read(this.path, stored, offset)));
    into.fill(0, count ?? 0);
  }

  #writeImage(data: Buffer, offset: number): void {
    this.#files.write(this.path, [data], offset);
    this.#bytes = Math.max(this.#bytes, offset + data.length);
  }

  #zeroImage(offset: number, length: number): void {
    for (let done = 0; done < length; done += zeroBytes.length) {
      this.#writeImage(zeroBytes.subarray(0, Math.min(zeroBytes.length, length - done)), offset + done);
    }
  }

  /** Makes a range zero, leaving holes alone. */
  #clear(offset: number, length: number, overwritten: readonly ByteRange[]): void {
    for (const range of overwritten) {
      const from = Math.max(offset, range.offset);
      const to = Math.min(offset + length, range.offset + range.length);
      if (to > from) this.#zeroImage(from, to - from);
    }
    const old = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.#bytes - offset)));
    this.#readImage(old, offset);
    zeroRuns(old, offset, (from, to, zero) => {
      if (!zero) this.#zeroImage(offset + from, to - from);
    });
  }

  #stored(into: Buffer, offset: number): Buffer {
    return into.subarray(0, Math.max(0, Math.min(into.length, this.#bytes - offset)));
  }
}

function blockCount(bytes: Buffer): number {
  return Math.ceil(bytes.length / BLOCK_BYTES);
}

function checkBlock(bytes: Buffer, offset: number, stored: number): CheckedRead {
  const difference = (sumOf(bytes) ^ stored) >>> 0;
  if (difference === 0) return { damaged: undamaged, sum: stored };
  return { damaged: [{ block: blockOf(offset), difference }], sum: undefined };
}

function checkBlocks(bytes: Buffer, offset: number, sums: SumList): CheckedRead {
  const count = blockCount(bytes);
  let damaged: DamagedBlock[] | undefined;
  for (let index = 0; index < count; index += 1) {
    const block = count === 1 ? bytes : bytes.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES);
    const difference = (sumOf(block) ^ sums.at(index)) >>> 0;
    if (difference === 0) continue;
    damaged ??= [];
    damaged.push({ block: blockOf(offset) + index, difference });
  }
  return { damaged: damaged ?? undamaged, sum: undefined };
}
