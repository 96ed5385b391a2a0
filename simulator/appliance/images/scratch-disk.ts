// A writable disk over a read-only one: writes go to a sparse file of its own, discarded at the
// end. Nothing of it outlives the process, but a flush still syncs: only a sync makes a full disk
// report buffered writes that it can't store.
import { rmSync } from 'node:fs';
import type { ZeroesOptions } from '../../../nbd/block-device.js';
import { NbdError } from '../../../nbd/errors.js';
import { nbdErrorOf } from '../../disk/errno.js';
import { OpenFile } from '../../disk/open-file.js';
import { RangeLock } from '../../disk/range-lock.js';
import { BlockSet } from './block-set.js';
import type { ScratchBudget } from './scratch-budget.js';

/** Unit of copy-on-write from the disk below, bytes: the usual block of a file system. */
export const SCRATCH_BLOCK_BYTES = 4_096;
/** Largest synchronous read or write, bytes: the page cache is faster than the thread pool. */
const AT_ONCE_BYTES_MAX = 64 * 1024;

/** Longest part that is looked for at once, bytes: a millisecond of work. */
const PART_BYTES_MAX = 64 * 1024 * 1024;

/** A part of the disk, and where its content is. */
export interface ScratchPart {
  readonly length: number;
  readonly from: 'file' | 'zero' | 'below';
}

/** Reads the disk below. */
export type ReadBelow = (offset: number, length: number) => Promise<Buffer>;

export interface ScratchDiskOptions {
  readonly path: string;
  readonly sizeBytes: number;
  readonly budget: ScratchBudget;
  /** Called for each write refused for lack of scratch, with the limit that was reached. */
  readonly onFull: (limit: ScratchBudget) => void;
  /** Called for each call that the file's disk refuses. */
  readonly onRefused: (error: Error) => void;
  /** Called for each write that the file takes. */
  readonly onTaken: () => void;
}

export class ScratchDisk {
  readonly #options: ScratchDiskOptions;
  readonly #file: OpenFile;
  /** Writers of one block take turns. Readers don't wait: NBD orders no overlapping requests. */
  readonly #lock = new RangeLock();
  /** Blocks whose content is in the file. */
  readonly #written = new BlockSet();
  /** Blocks that read as zeroes, whatever is in the file or below. No block is in both sets. */
  readonly #zero = new BlockSet();
  /** Blocks paid for from the budget. They stay paid, as the file gives no block back. */
  readonly #paid = new BlockSet();
  #paidBytes = 0;
  #discarded = false;

  constructor(options: ScratchDiskOptions) {
    this.#options = options;
    this.#file = new OpenFile(options.path, options.sizeBytes);
  }

  /** Bytes taken from the budget. */
  get bytes(): number {
    return this.#paidBytes;
  }

  /** Reads the range as it is now. `below` is called only if part of it was never written. */
  async read(offset: number, length: number, below: ReadBelow): Promise<Buffer> {
    this.#assertThere();
    const runs = this.#runs(offset, offset + length);
    const untouched = runs.filter(({ from }) => from === 'below');
    const [first, last] = [untouched[0], untouched.at(-1)];
    const result = Buffer.allocUnsafe(length);
    // One request covers all untouched runs: needless bytes cost less than round trips.
    if (first !== undefined && last !== undefined)
      (await below(first.start, last.end - first.start)).copy(result, first.start - offset);
    for (const { start, end, from } of runs) {
      if (from === 'zero') result.fill(0, start - offset, end - offset);
      else if (from === 'file') (await this.#readFile(start, end - start)).copy(result, start - offset);
    }
    return result;
  }

  /** The part of the disk that begins at `offset`, no longer than `length`. */
  partAt(offset: number, length: number): ScratchPart {
    const [first] = this.#runs(offset, offset + Math.min(length, PART_BYTES_MAX));
    if (first === undefined) throw new RangeError('a part of no bytes');
    return { length: first.end - first.start, from: first.from };
  }

  /** Writes. @throws NbdError ENOSPC (then nothing is written), EIO; what `below` throws */
  async write(offset: number, data: Buffer, fua: boolean, below: ReadBelow): Promise<void> {
    await this.#exclusively(offset, data.length, async (blocks) => this.#put(offset, data, blocks, below));
    if (fua) await this.flush();
  }

  /** Writes zeroes. A trim zeroes whole blocks and leaves partial ones alone. @throws as `write` */
  async zeroes(offset: number, length: number, options: ZeroesOptions, below: ReadBelow): Promise<void> {
    await this.#exclusively(offset, length, async ({ from, to }) => {
      const { sizeBytes } = this.#options;
      const end = offset + length;
      const wholeFrom = offset === startOf(from) ? from : from + 1;
      const wholeTo = end === sizeBytes || end === startOf(to) ? to : to - 1;
      if (!options.mayTrim) this.#pay(from, to);
      if (!options.trim) {
        // The partial blocks at both ends; one part if both are in the same block.
        const headEnd = Math.min(end, startOf(wholeFrom));
        if (offset < headEnd) await this.#zeroPart(offset, headEnd, below);
        if (wholeTo < to && startOf(wholeTo) >= headEnd && wholeTo >= wholeFrom)
          await this.#zeroPart(startOf(wholeTo), end, below);
      }
      if (wholeFrom >= wholeTo) return;
      this.#written.delete(wholeFrom, wholeTo);
      this.#zero.add(wholeFrom, wholeTo);
    });
    if (options.fua) await this.flush();
  }

  /** Syncs the file. @throws NbdError when that fails */
  async flush(): Promise<void> {
    try {
      if (this.#paidBytes > 0) await this.#file.sync();
    } catch (error) {
      this.#refused(error);
      throw nbdErrorOf(error);
    }
  }

  /**
   * Discards everything and gives the budget back. May be called again. Call it only when no
   * request is in flight.
   */
  discard(): void {
    if (this.#discarded) return;
    this.#discarded = true;
    try {
      this.#file.close();
      rmSync(this.#options.path, { force: true });
    } catch (error) {
      // The file is removed at the next start; ending an access must not fail over it.
      this.#refused(error);
    }
    this.#options.budget.giveBack(this.#paidBytes);
    this.#paidBytes = 0;
  }

  #refused(error: unknown): void {
    this.#options.onRefused(error instanceof Error ? error : new Error(String(error)));
  }

  async #exclusively(
    offset: number,
    length: number,
    change: (blocks: { readonly from: number; readonly to: number }) => Promise<void>,
  ): Promise<void> {
    const from = Math.floor(offset / SCRATCH_BLOCK_BYTES);
    const to = Math.ceil((offset + length) / SCRATCH_BLOCK_BYTES);
    const release = await this.#lock.acquire(startOf(from), startOf(to - from));
    try {
      this.#assertThere();
      await change({ from, to });
    } finally {
      release();
    }
  }

  async #put(
    offset: number,
    data: Buffer,
    { from, to }: { readonly from: number; readonly to: number },
    below: ReadBelow,
  ): Promise<void> {
    this.#pay(from, to);
    const end = offset + data.length;
    const head = await this.#missingPart(startOf(from), offset, from, below);
    const tail = await this.#missingPart(end, Math.min(startOf(to), this.#options.sizeBytes), to - 1, below);
    const whole = head.length + tail.length === 0 ? data : Buffer.concat([head, data, tail]);
    await this.#writeFile(offset - head.length, whole);
    this.#zero.delete(from, to);
    this.#written.add(from, to);
  }

  /**
   * The part of a block that a write doesn't cover, to fill the block in the file; empty when the
   * file already has the block.
   */
  async #missingPart(start: number, end: number, block: number, below: ReadBelow): Promise<Buffer> {
    if (end <= start || this.#written.has(block)) return Buffer.alloc(0);
    return this.#zero.has(block) ? Buffer.alloc(end - start) : below(start, end - start);
  }

  async #zeroPart(start: number, end: number, below: ReadBelow): Promise<void> {
    const from = Math.floor(start / SCRATCH_BLOCK_BYTES);
    if (this.#zero.has(from)) return;
    await this.#put(start, Buffer.alloc(end - start), { from, to: from + 1 }, below);
  }

  #assertThere(): void {
    if (this.#discarded) throw new NbdError('ESHUTDOWN', 'the scratch was discarded');
  }

  /** Takes the unpaid ones of blocks [from, to) from the budget. @throws NbdError ENOSPC */
  #pay(from: number, to: number): void {
    const bytes = this.#paid.missing(from, to) * SCRATCH_BLOCK_BYTES;
    if (bytes === 0) return;
    const limit = this.#options.budget.take(bytes);
    if (limit !== undefined) {
      this.#options.onFull(limit);
      throw new NbdError('ENOSPC', `the scratch is full: ${limit.bytes} of ${limit.bytesMax} bytes`);
    }
    this.#paidBytes += bytes;
    this.#paid.add(from, to);
  }

  #runs(start: number, end: number): Run[] {
    const runs: Run[] = [];
    for (let at = start; at < end;) {
      const block = Math.floor(at / SCRATCH_BLOCK_BYTES);
      const from = this.#written.has(block) ? 'file' : this.#zero.has(block) ? 'zero' : 'below';
      const blockEnd = Math.min(end, startOf(block + 1));
      const last = runs.at(-1);
      if (last?.from === from) last.end = blockEnd;
      else runs.push({ start: at, end: blockEnd, from });
      at = blockEnd;
    }
    return runs;
  }

  async #readFile(offset: number, length: number): Promise<Buffer> {
    try {
      if (length <= AT_ONCE_BYTES_MAX) return this.#file.readNow(offset, length);
      return await this.#file.readLater(offset, length);
    } catch (error) {
      throw nbdErrorOf(error);
    }
  }

  async #writeFile(offset: number, data: Buffer): Promise<void> {
    try {
      if (data.length <= AT_ONCE_BYTES_MAX) this.#file.writeNow(offset, data);
      else await this.#file.writeLater(offset, data);
      this.#options.onTaken();
    } catch (error) {
      this.#refused(error);
      throw nbdErrorOf(error);
    }
  }
}

interface Run {
  readonly start: number;
  end: number;
  readonly from: 'file' | 'zero' | 'below';
}

function startOf(block: number): number {
  return block * SCRATCH_BLOCK_BYTES;
}
