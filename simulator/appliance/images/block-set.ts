// A set of block numbers of a disk, as bits. Only pages that are neither empty nor full take
// memory.

/** Blocks of one page of bits: 128 MiB of a disk with 4 KiB blocks; 4 KiB of memory. */
const PAGE_BLOCKS = 32 * 1024;
const WORD_BITS = 8;

type Page = Uint8Array | 'full';

export class BlockSet {
  readonly #pages = new Map<number, Page>();

  has(block: number): boolean {
    const page = this.#pages.get(Math.floor(block / PAGE_BLOCKS));
    if (page === undefined || page === 'full') return page === 'full';
    const bit = block % PAGE_BLOCKS;
    return ((page[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0;
  }

  /** Adds blocks [from, to). */
  add(from: number, to: number): void {
    this.#change(from, to, true);
  }

  /** Removes blocks [from, to). */
  delete(from: number, to: number): void {
    this.#change(from, to, false);
  }

  /** How many of the blocks [from, to) are not in the set. */
  missing(from: number, to: number): number {
    let count = 0;
    for (let block = from; block < to;) {
      const pageEnd = Math.min(to, (Math.floor(block / PAGE_BLOCKS) + 1) * PAGE_BLOCKS);
      const page = this.#pages.get(Math.floor(block / PAGE_BLOCKS));
      if (page === undefined) count += pageEnd - block;
      else if (page !== 'full') for (let at = block; at < pageEnd; at += 1) if (!this.has(at)) count += 1;
      block = pageEnd;
    }
    return count;
  }

  #change(from: number, to: number, present: boolean): void {
    for (let block = from; block < to;) {
      const number = Math.floor(block / PAGE_BLOCKS);
      const start = number * PAGE_BLOCKS;
      const end = Math.min(to, start + PAGE_BLOCKS);
      if (block === start && end - start === PAGE_BLOCKS) {
        if (present) this.#pages.set(number, 'full');
        else this.#pages.delete(number);
      } else {
        this.#changeWithin(number, block - start, end - start, present);
      }
      block = end;
    }
  }

  #changeWithin(number: number, from: number, to: number, present: boolean): void {
    const before = this.#pages.get(number);
    if (before === (present ? 'full' : undefined)) return;
    const page =
      before === undefined || before === 'full'
        ? new Uint8Array(PAGE_BLOCKS / WORD_BITS).fill(before === 'full' ? 0xff : 0)
        : before;
    for (let bit = from; bit < to; bit += 1) {
      const mask = 1 << (bit & 7);
      const word = page[bit >> 3] ?? 0;
      page[bit >> 3] = present ? word | mask : word & ~mask;
    }
    this.#pages.set(number, page);
  }
}
