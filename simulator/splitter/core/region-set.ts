// A set of a volume's regions, as bits in pages. A page that is empty or full takes no memory, so a
// request over gigabytes costs what a small one does.

/** Regions of one page of bits: 256 MiB of a disk; 512 bytes of memory. */
export const PAGE_REGIONS = 4_096;
const WORD_BITS = 32;
const PAGE_WORDS = PAGE_REGIONS / WORD_BITS;
const ALL_BITS = 0xffff_ffff;

interface Page {
  /** Undefined: all regions of the page are in the set. */
  words: Uint32Array | undefined;
  count: number;
}

/** Emptied pages that are kept, of all volumes together. */
export const SPARES_MAX = 16;

/** Bits of pages that have no region any more: none is set. The next pages take them. */
const spares: Uint32Array[] = [];

export class RegionSet {
  readonly #pages = new Map<number, Page>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(region: number): boolean {
    const page = this.#pages.get(Math.floor(region / PAGE_REGIONS));
    if (page === undefined) return false;
    if (page.words === undefined) return true;
    const bit = region % PAGE_REGIONS;
    return ((page.words[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0;
  }

  /** Adds regions [from, to). */
  add(from: number, to = from + 1): void {
    for (let region = from; region < to;) {
      const [number, first, end] = partOf(region, to);
      const page = this.#pages.get(number);
      if (end - first === PAGE_REGIONS) this.#put(number, { words: undefined, count: PAGE_REGIONS });
      else this.#addWithin(number, page, first, end);
      region += end - first;
    }
  }

  /** Removes regions [from, to). */
  delete(from: number, to = from + 1): void {
    if (this.#size === 0) return;
    for (let region = from; region < to;) {
      const [number, first, end] = partOf(region, to);
      const page = this.#pages.get(number);
      if (page !== undefined) this.#deleteWithin(number, page, first, end);
      region += end - first;
    }
  }

  /** Removes those of the regions [from, to) that the other set has, a word at a time. */
  deleteAll(other: RegionSet, from: number, to: number): void {
    if (this.#size === 0 || other.#size === 0) return;
    for (let region = from; region < to;) {
      const [number, first, end] = partOf(region, to);
      const page = this.#pages.get(number);
      const others = other.#pages.get(number);
      if (page !== undefined && others !== undefined) this.#deleteWithin(number, page, first, end, others.words);
      region += end - first;
    }
  }

  /** Adds those of the regions [from, to) that the other set has, a word at a time. */
  addAll(other: RegionSet, from: number, to: number): void {
    if (other.#size === 0) return;
    for (let region = from; region < to;) {
      const [number, first, end] = partOf(region, to);
      const others = other.#pages.get(number);
      if (others !== undefined && others.words === undefined) this.add(region, region + end - first);
      else if (others !== undefined) this.#addWithin(number, this.#pages.get(number), first, end, others.words);
      region += end - first;
    }
  }

  /** The first region of the set at or after `from`, before `to`. */
  next(from: number, to: number): number | undefined {
    if (this.#size === 0) return undefined;
    for (let region = from; region < to;) {
      const number = Math.floor(region / PAGE_REGIONS);
      const page = this.#pages.get(number);
      const pageEnd = (number + 1) * PAGE_REGIONS;
      if (page !== undefined && page.words === undefined) return region;
      const bit = page?.words === undefined ? undefined : nextBit(page.words, region % PAGE_REGIONS);
      if (bit !== undefined) {
        const found = number * PAGE_REGIONS + bit;
        return found < to ? found : undefined;
      }
      region = pageEnd;
    }
    return undefined;
  }

  /** Whether any of the regions [from, to) is in the set. */
  hasAny(from: number, to: number): boolean {
    return this.next(from, to) !== undefined;
  }

  /** The regions, in ascending order. The set must not change meanwhile. */
  *[Symbol.iterator](): Generator<number> {
    const numbers = [...this.#pages.keys()].sort((one, other) => one - other);
    for (const number of numbers) {
      const start = number * PAGE_REGIONS;
      const words = this.#pages.get(number)?.words;
      if (words === undefined) for (let bit = 0; bit < PAGE_REGIONS; bit += 1) yield start + bit;
      else for (const bit of bitsOf(words)) yield start + bit;
    }
  }

  clear(): void {
    this.#pages.clear();
    this.#size = 0;
  }

  /** @param only the bits that may be set; all without it */
  #addWithin(number: number, page: Page | undefined, first: number, end: number, only?: Uint32Array): void {
    if (page !== undefined && page.words === undefined) return;
    const words = page?.words ?? spares.pop() ?? new Uint32Array(PAGE_WORDS);
    const added = setBits(words, first, end, only);
    if (added === 0) return;
    const count = (page?.count ?? 0) + added;
    this.#put(number, { words: count === PAGE_REGIONS ? undefined : words, count });
  }

  /** @param only the bits that may be cleared; all without it */
  #deleteWithin(number: number, page: Page, first: number, end: number, only?: Uint32Array): void {
    if (end - first === PAGE_REGIONS && only === undefined) {
      this.#put(number, undefined);
      return;
    }
    const words = page.words ?? new Uint32Array(PAGE_WORDS).fill(ALL_BITS);
    const count = page.count - clearBits(words, first, end, only);
    if (count === page.count) return;
    if (count === 0 && spares.length < SPARES_MAX) spares.push(words);
    this.#put(number, count === 0 ? undefined : { words, count });
  }

  #put(number: number, page: Page | undefined): void {
    this.#size += (page?.count ?? 0) - (this.#pages.get(number)?.count ?? 0);
    if (page === undefined) this.#pages.delete(number);
    else this.#pages.set(number, page);
  }
}

/** The page of a region, and which of its regions [first, end) come before `to`. */
export function partOf(region: number, to: number): readonly [page: number, first: number, end: number] {
  const page = Math.floor(region / PAGE_REGIONS);
  const start = page * PAGE_REGIONS;
  return [page, region - start, Math.min(PAGE_REGIONS, to - start)];
}

/**
 * Sets bits [first, end), or those of them that `only` has.
 * @returns how many were not set before
 */
function setBits(words: Uint32Array, first: number, end: number, only?: Uint32Array): number {
  let changed = 0;
  forEachWord(first, end, (index, mask) => {
    const before = words[index] ?? 0;
    const set = mask & (only?.[index] ?? ALL_BITS);
    changed += bitCount(set & ~before);
    words[index] = before | set;
  });
  return changed;
}

/**
 * Clears bits [first, end), or those of them that `only` has.
 * @returns how many were set before
 */
function clearBits(words: Uint32Array, first: number, end: number, only?: Uint32Array): number {
  let changed = 0;
  forEachWord(first, end, (index, mask) => {
    const before = words[index] ?? 0;
    const cleared = mask & (only?.[index] ?? ALL_BITS);
    changed += bitCount(cleared & before);
    words[index] = before & ~cleared;
  });
  return changed;
}

function forEachWord(first: number, end: number, visit: (index: number, mask: number) => void): void {
  for (let bit = first; bit < end;) {
    const index = bit >>> 5;
    const wordEnd = Math.min(end, (index + 1) * WORD_BITS);
    const low = bit & 31;
    const count = wordEnd - bit;
    visit(index, count === WORD_BITS ? ALL_BITS : ((2 ** count - 1) << low) >>> 0);
    bit = wordEnd;
  }
}

function nextBit(words: Uint32Array, from: number): number | undefined {
  let index = from >>> 5;
  let word = (words[index] ?? 0) & (ALL_BITS << (from & 31));
  while (word === 0) {
    index += 1;
    if (index >= words.length) return undefined;
    word = words[index] ?? 0;
  }
  return index * WORD_BITS + lowestBit(word);
}

function* bitsOf(words: Uint32Array): Generator<number> {
  for (let bit = nextBit(words, 0); bit !== undefined; bit = nextBit(words, bit + 1)) yield bit;
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** Source: Warren, Hacker's Delight, 2nd edition, section 5-1. */
function bitCount(word: number): number {
  let count = word - ((word >>> 1) & 0x5555_5555);
  count = (count & 0x3333_3333) + ((count >>> 2) & 0x3333_3333);
  return Math.imul((count + (count >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
