// Which regions of a volume have writes that may not be durable at the replica site. A region's bit
// is set before the source is written.
import { RegionCounts } from './region-counts.js';
import { RegionSet } from './region-set.js';

/** Size of a region, in bytes: one bit of the bitmap, and the unit of a short initialization. */
export const REGION_BYTES = 64 * 1024;

/**
 * Most regions that are remembered as unreadable. A disk that fails everywhere has more; the rest
 * are tried each time.
 */
export const UNREADABLE_REGIONS_MAX = 4_096;

/** Most regions cleared in one turn of the event loop: a few milliseconds of work. */
const CLEARED_AT_ONCE_MAX = 128 * 1024;

const NO_BITS = new Uint8Array(0);
/** A byte of the bitmap whose eight regions are marked. */
const ALL_BITS = 0xff;

/** Marks that were just set and are to be stored: those of these regions, or those of all. */
export type FreshMarks = readonly number[] | 'all';

export class Marks {
  #sizeBytes: number;
  /** Made with the first mark: ten thousand unwritten volumes take no memory for bitmaps. */
  #bits: Uint8Array = NO_BITS;
  /** Count of writes under way or unconfirmed, by region. */
  readonly #outstanding = new RegionCounts();
  /** Regions that must be sent again from the source: some write to them was not numbered. */
  readonly #dirty = new RegionSet();
  /** Where the next dirty region is looked for: each is met in its turn. */
  #cursor = 0;
  /** Dirty regions that the source could not read at the last try. */
  readonly #unreadable = new Set<number>();
  /** Unreadable regions whose retry is not due yet. */
  readonly #passedOver = new Set<number>();
  /** Regions whose bit may be cleared: no write to them is outstanding. */
  readonly #settled = new RegionSet();
  /** Regions that may differ from the replica: compared before they are sent. */
  readonly #doubted = new RegionSet();
  /** Settled regions whose bits are cleared once the current sync of the source ends. */
  readonly #clearing = new RegionSet();
  #marked = 0;

  /**
   * @param bits the stored bitmap, which is taken over: that of 16 TiB has 32 MiB. Marked regions
   * are dirty: the copies that were in memory are gone.
   */
  constructor(sizeBytes: number, bits?: Uint8Array) {
    this.#sizeBytes = sizeBytes;
    if (bits?.some((byte) => byte !== 0) === true) this.#bits = this.#withoutBeyond(bits);
    for (let byte = 0; byte < this.#bits.length;) {
      const end = this.#endOfFull(byte);
      if (end > byte) this.#dirty.add(byte * 8, Math.min(end * 8, this.regions));
      else if (this.#bits[byte] !== 0)
        for (let region = byte * 8; region < Math.min(byte * 8 + 8, this.regions); region += 1)
          if (this.isMarked(region)) this.#dirty.add(region);
      byte = Math.max(end, byte + 1);
    }
    this.#marked = this.#dirty.size;
  }

  /** End of the bytes from `byte` on whose eight regions are all marked. */
  #endOfFull(byte: number): number {
    let end = byte;
    while (this.#bits[end] === ALL_BITS) end += 1;
    return end;
  }

  get regions(): number {
    return Math.ceil(this.#sizeBytes / REGION_BYTES);
  }

  /** Size of the bitmap, in bytes. */
  get byteLength(): number {
    return bitmapBytes(this.#sizeBytes);
  }

  /** Follows a growth of the volume. To take it back, nothing beyond the end may be marked. */
  resize(sizeBytes: number): void {
    this.#sizeBytes = sizeBytes;
    if (this.#bits !== NO_BITS) this.#bits = resized(this.#bits, this.byteLength);
  }

  isMarked(region: number): boolean {
    return ((this.#bits[region >> 3] ?? 0) & (1 << (region & 7))) !== 0;
  }

  get marked(): number {
    return this.#marked;
  }

  get dirty(): number {
    return this.#dirty.size;
  }

  /** Bytes [from, to) of the bitmap, for the shell to store. */
  bytes(from: number, to: number): Uint8Array {
    if (this.#bits === NO_BITS) this.#bits = new Uint8Array(this.byteLength);
    return this.#bits.subarray(from, to);
  }

  /**
   * Marks the regions of a write that begins.
   * @returns the regions whose bit was not set yet: store them before the source is written.
   */
  begin(offset: number, length: number): number[] {
    const fresh: number[] = [];
    const [first, end] = regionsOf(offset, length);
    this.#outstanding.add(first, end);
    this.#unsettle(first, end);
    for (let region = first; region < end; region += 1) {
      if (this.isMarked(region)) continue;
      this.#set(region);
      fresh.push(region);
    }
    return fresh;
  }

  /**
   * Counts off a write that is durable at the replica site. A region without other outstanding
   * writes is settled.
   */
  confirm(offset: number, length: number): void {
    const [first, end] = regionsOf(offset, length);
    this.#outstanding.remove(first, end, (from, to) => this.#settle(from, to));
  }

  /** Regions [from, to) have no write outstanding: settles those that need nothing else. */
  #settle(from: number, to: number): void {
    this.#settled.add(from, to);
    this.#settled.deleteAll(this.#dirty, from, to);
    this.#settled.deleteAll(this.#doubted, from, to);
  }

  /**
   * Marks the regions of a write that won't be sent, or that failed, to be sent again from the
   * source.
   */
  abandon(offset: number, length: number): void {
    const [first, end] = regionsOf(offset, length);
    this.#addDirty(first, end);
    this.confirm(offset, length);
  }

  // ---- doubt ----

  /** Count of doubted regions: those that may differ from the replica. */
  get doubted(): number {
    return this.#doubted.size;
  }

  isDoubted(region: number): boolean {
    return this.#doubted.has(region);
  }

  /**
   * Doubts and marks every region that is not dirty.
   * @returns the marks to be stored.
   */
  doubtAll(): FreshMarks {
    this.#settled.clear();
    this.#clearing.clear();
    this.#doubted.add(0, this.regions);
    this.#doubted.deleteAll(this.#dirty, 0, this.regions);
    if (this.#marked === this.regions) return [];
    this.#setAll();
    return 'all';
  }

  /** Resumes an earlier life's comparison: what it left marked is compared before it is sent. */
  doubtMarked(): void {
    this.#doubted.addAll(this.#dirty, 0, this.regions);
    this.#dirty.clear();
  }

  /** The first doubted region at or after `from`. */
  nextDoubted(from: number): number | undefined {
    return this.#doubted.next(from, this.regions);
  }

  /**
   * Takes the result for a doubted region: an equal one is settled, another becomes dirty. One that
   * became dirty meanwhile stays so.
   */
  compared(region: number, same: boolean): void {
    if (same) this.comparedSame(region, region + 1);
    else if (this.isDoubted(region)) this.#addDirty(region);
  }

  /** Settles those of the regions [from, to) that are doubted: they are like the replica's. */
  comparedSame(from: number, to: number): void {
    for (const [first, end] of this.#outstanding.freeRuns(from, to)) this.#settled.addAll(this.#doubted, first, end);
    this.#doubted.delete(from, to);
  }

  /** Takes back the mark of the last region, which nobody wrote: the volume did not grow. */
  dropLast(): void {
    const last = this.regions - 1;
    this.#clean(last);
    if (this.isMarked(last)) this.#clear(last);
  }

  /**
   * Makes regions dirty without a comparison.
   * @returns those whose bit was not set yet, to be stored.
   */
  markDirty(regions: Iterable<number>): number[] {
    const fresh: number[] = [];
    for (const region of regions) {
      if (!this.isMarked(region)) {
        this.#set(region);
        fresh.push(region);
      }
      this.#addDirty(region);
    }
    return fresh;
  }

  /** Makes the doubted regions dirty without a comparison. Their bits are set already. */
  giveUpComparing(): void {
    this.#dirty.addAll(this.#doubted, 0, this.regions);
    this.#doubted.clear();
  }

  #addDirty(first: number, end = first + 1): void {
    this.#unsettle(first, end);
    this.#dirty.add(first, end);
    this.#doubted.delete(first, end);
  }

  /** The next dirty region to send, in turn. Those passed over are left out. */
  nextDirty(): number | undefined {
    if (this.#passedOver.size === this.#dirty.size) return undefined;
    return this.#dirtyFrom(this.#cursor, this.regions) ?? this.#dirtyFrom(0, this.#cursor);
  }

  #dirtyFrom(from: number, to: number): number | undefined {
    let region = this.#dirty.next(from, to);
    while (region !== undefined && this.#passedOver.has(region)) region = this.#dirty.next(region + 1, to);
    if (region !== undefined) this.#cursor = region;
    return region;
  }

  /** Passes over a region that the source can't read. It stays dirty, and the others go on. */
  passOver(region: number): void {
    if (!this.#dirty.has(region)) return;
    this.#cursor = region + 1;
    if (this.#unreadable.size >= UNREADABLE_REGIONS_MAX && !this.#unreadable.has(region)) return;
    this.#unreadable.add(region);
    this.#passedOver.add(region);
  }

  /**
   * Makes regions that were passed over due again, the longest known first.
   * @param count the most of them.
   */
  retryUnreadable(count: number): void {
    for (const region of [...this.#passedOver].slice(0, count)) this.#passedOver.delete(region);
  }

  /** Unreadable regions, in the order in which they were found. */
  get unreadable(): ReadonlySet<number> {
    return this.#unreadable;
  }

  /** Cleans the regions that a numbered write covers whole: the write brings all of them. */
  cleanCovered(offset: number, length: number): void {
    if (this.#dirty.size === 0) return;
    const [first, end] = this.#coveredWhole(offset, length);
    this.#dirty.delete(first, end);
    if (this.#unreadable.size > 0) for (const region of within(this.#unreadable, first, end)) this.#clean(region);
  }

  /**
   * Makes unreadable regions due again that an unnumbered write covers whole: it may have mended
   * them.
   */
  retryCovered(offset: number, length: number): void {
    if (this.#passedOver.size === 0) return;
    const [first, end] = this.#coveredWhole(offset, length);
    for (const region of within(this.#passedOver, first, end)) this.#passedOver.delete(region);
  }

  #clean(region: number): void {
    this.#dirty.delete(region);
    this.#unreadable.delete(region);
    this.#passedOver.delete(region);
  }

  /** The regions [first, end) that a write covers whole. */
  #coveredWhole(offset: number, length: number): readonly [first: number, end: number] {
    const end = offset + length;
    return [Math.ceil(offset / REGION_BYTES), end >= this.#sizeBytes ? this.regions : Math.floor(end / REGION_BYTES)];
  }

  /** Counts a region as queued for sending: outstanding like any write, and no longer dirty. */
  resend(region: number): void {
    this.#clean(region);
    this.#outstanding.add(region, region + 1);
    this.#unsettle(region, region + 1);
  }

  /**
   * Clears the bits of the settled regions, or of as many as one turn clears.
   * @returns them, for the shell to store.
   */
  clearSettled(): number[] {
    this.beginClearing();
    return this.finishClearing();
  }

  /**
   * First of two steps of clearing, for a shell that syncs the source in between.
   * @returns how many regions are to be cleared.
   */
  beginClearing(): number {
    let region = this.#settled.next(0, this.regions);
    while (region !== undefined && this.#clearing.size < CLEARED_AT_ONCE_MAX) {
      this.#settled.delete(region);
      this.#clearing.add(region);
      region = this.#settled.next(region + 1, this.regions);
    }
    return this.#clearing.size;
  }

  /**
   * Clears the bits of the regions that were settled at `beginClearing` and not touched since.
   * @returns them.
   */
  finishClearing(): number[] {
    if (this.#clearing.size === 0) return [];
    const cleared = [...this.#clearing];
    this.#clearing.clear();
    for (const region of cleared) this.#clear(region);
    return cleared;
  }

  get settled(): number {
    return this.#settled.size;
  }

  /** Whether a region of these bytes is to be sent again. */
  isDirty(offset: number, length: number): boolean {
    return this.#dirty.hasAny(...regionsOf(offset, length));
  }

  #unsettle(first: number, end: number): void {
    this.#settled.delete(first, end);
    this.#clearing.delete(first, end);
  }

  #set(region: number): void {
    if (this.#bits === NO_BITS) this.#bits = new Uint8Array(this.byteLength);
    this.#bits[region >> 3] = (this.#bits[region >> 3] ?? 0) | (1 << (region & 7));
    this.#marked += 1;
  }

  #setAll(): void {
    this.#bits = this.#withoutBeyond(new Uint8Array(this.byteLength).fill(ALL_BITS));
    this.#marked = this.regions;
  }

  /** Clears the bits beyond the last region: they would be marks of a volume that grows. */
  #withoutBeyond(bits: Uint8Array): Uint8Array {
    const last = this.regions % 8;
    if (last > 0) bits[this.byteLength - 1] = (bits[this.byteLength - 1] ?? 0) & (2 ** last - 1);
    return bits;
  }

  #clear(region: number): void {
    this.#bits[region >> 3] = (this.#bits[region >> 3] ?? 0) & ~(1 << (region & 7));
    this.#marked -= 1;
  }
}

/** Size of a volume's bitmap, in bytes. */
export function bitmapBytes(volumeBytes: number): number {
  return Math.ceil(Math.ceil(volumeBytes / REGION_BYTES) / 8);
}

function resized(bits: Uint8Array, byteLength: number): Uint8Array {
  const other = new Uint8Array(byteLength);
  other.set(bits.subarray(0, byteLength));
  return other;
}

export function firstRegion(offset: number): number {
  return Math.floor(offset / REGION_BYTES);
}

export function lastRegion(offset: number, length: number): number {
  return Math.floor((offset + Math.max(length, 1) - 1) / REGION_BYTES);
}

/** The members of a set within [first, end). The set may lose them meanwhile. */
function within(set: ReadonlySet<number>, first: number, end: number): readonly number[] {
  if (end - first > set.size) return [...set].filter((region) => region >= first && region < end);
  const found: number[] = [];
  for (let region = first; region < end; region += 1) if (set.has(region)) found.push(region);
  return found;
}

/** The regions [first, end) that a range touches. */
function regionsOf(offset: number, length: number): readonly [first: number, end: number] {
  return [firstRegion(offset), lastRegion(offset, length) + 1];
}
