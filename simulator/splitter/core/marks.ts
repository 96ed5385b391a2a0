// Which regions of a volume have writes that may not be durable at the replica site. A region's bit
// is set before the source is written.

/** Size of a region, in bytes: one bit of the bitmap, and the unit of a short initialization. */
export const REGION_BYTES = 64 * 1024;

/**
 * Most regions that are remembered as unreadable. A disk that fails everywhere has more; the rest
 * are tried each time.
 */
export const UNREADABLE_REGIONS_MAX = 4_096;

const NO_BITS = new Uint8Array(0);

export class Marks {
  readonly regions: number;
  /** Size of the bitmap, in bytes. */
  readonly byteLength: number;
  readonly #sizeBytes: number;
  /** Made with the first mark: ten thousand unwritten volumes take no memory for bitmaps. */
  #bits: Uint8Array = NO_BITS;
  /** Count of writes under way or unconfirmed, by region; absent for none. */
  readonly #outstanding = new Map<number, number>();
  /** Regions that must be sent again from the source: some write to them was not numbered. */
  readonly #dirty: Set<number>;
  /** Dirty regions that the source could not read at the last try. */
  readonly #unreadable = new Set<number>();
  /** Unreadable regions whose retry is not due yet. */
  readonly #passedOver = new Set<number>();
  /** Regions whose bit may be cleared: no write to them is outstanding. */
  readonly #settled = new Set<number>();
  /** Regions that may differ from the replica: compared before they are sent. */
  #doubted: Uint8Array = NO_BITS;
  #doubtedCount = 0;
  /** Settled regions whose bits are cleared once the current sync of the source ends. */
  readonly #clearing = new Set<number>();
  #marked = 0;

  /**
   * @param bits the stored bitmap. Its marked regions are dirty: the copies that were in memory are
   * gone.
   */
  constructor(sizeBytes: number, bits?: Uint8Array) {
    this.regions = Math.ceil(sizeBytes / REGION_BYTES);
    this.byteLength = bitmapBytes(sizeBytes);
    this.#sizeBytes = sizeBytes;
    if (bits?.some((byte) => byte !== 0) === true) this.#bits = bits.slice();
    this.#dirty = new Set();
    for (let byte = 0; byte < this.#bits.length; byte += 1) {
      if (this.#bits[byte] === 0) continue;
      for (let region = byte * 8; region < Math.min(byte * 8 + 8, this.regions); region += 1) {
        if (!this.isMarked(region)) continue;
        this.#dirty.add(region);
        this.#marked += 1;
      }
    }
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
    const last = lastRegion(offset, length);
    for (let region = firstRegion(offset); region <= last; region += 1) {
      this.#outstanding.set(region, (this.#outstanding.get(region) ?? 0) + 1);
      this.#unsettle(region);
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
    const last = lastRegion(offset, length);
    for (let region = firstRegion(offset); region <= last; region += 1) {
      const left = (this.#outstanding.get(region) ?? 0) - 1;
      if (left > 0) {
        this.#outstanding.set(region, left);
        continue;
      }
      this.#outstanding.delete(region);
      if (!this.#dirty.has(region) && !this.isDoubted(region)) this.#settled.add(region);
    }
  }

  /**
   * Marks the regions of a write that won't be sent, or that failed, to be sent again from the
   * source.
   */
  abandon(offset: number, length: number): void {
    const last = lastRegion(offset, length);
    for (let region = firstRegion(offset); region <= last; region += 1) this.#addDirty(region);
    this.confirm(offset, length);
  }

  // ---- doubt ----

  /** Count of doubted regions: those that may differ from the replica. */
  get doubted(): number {
    return this.#doubtedCount;
  }

  isDoubted(region: number): boolean {
    return ((this.#doubted[region >> 3] ?? 0) & (1 << (region & 7))) !== 0;
  }

  /**
   * Doubts and marks every region that is not dirty.
   * @returns those that were not marked, to be stored.
   */
  doubtAll(): number[] {
    const fresh: number[] = [];
    if (this.#doubted === NO_BITS) this.#doubted = new Uint8Array(this.byteLength);
    this.#settled.clear();
    this.#clearing.clear();
    for (let region = 0; region < this.regions; region += 1) {
      if (!this.isMarked(region)) {
        this.#set(region);
        fresh.push(region);
      }
      if (this.#dirty.has(region) || this.isDoubted(region)) continue;
      this.#doubted[region >> 3] = (this.#doubted[region >> 3] ?? 0) | (1 << (region & 7));
      this.#doubtedCount += 1;
    }
    return fresh;
  }

  /** Resumes an earlier life's comparison: what it left marked is compared before it is sent. */
  doubtMarked(): void {
    if (this.#dirty.size === 0) return;
    if (this.#doubted === NO_BITS) this.#doubted = new Uint8Array(this.byteLength);
    for (const region of this.#dirty) {
      this.#doubted[region >> 3] = (this.#doubted[region >> 3] ?? 0) | (1 << (region & 7));
      this.#doubtedCount += 1;
    }
    this.#dirty.clear();
  }

  /** The first doubted region at or after `from`. */
  nextDoubted(from: number): number | undefined {
    if (this.#doubtedCount === 0) return undefined;
    for (let region = from; region < this.regions; region += 1) {
      if (this.#doubted[region >> 3] === 0) region |= 7;
      else if (this.isDoubted(region)) return region;
    }
    return undefined;
  }

  /**
   * Takes the result for a doubted region: an equal one is settled, another becomes dirty. One that
   * became dirty meanwhile stays so.
   */
  compared(region: number, same: boolean): void {
    if (!this.isDoubted(region)) return;
    if (!same) this.#addDirty(region);
    else {
      this.#endDoubt(region);
      if (!this.#outstanding.has(region)) this.#settled.add(region);
    }
  }

  /**
   * Makes regions dirty without a comparison; by default all doubted ones.
   * @returns those whose bit was not set yet, to be stored.
   */
  markDirty(regions?: Iterable<number>): number[] {
    const fresh: number[] = [];
    for (const region of regions ?? this.#doubtedRegions()) {
      if (!this.isMarked(region)) {
        this.#set(region);
        fresh.push(region);
      }
      this.#addDirty(region);
    }
    return fresh;
  }

  #doubtedRegions(): number[] {
    const regions: number[] = [];
    for (let at = this.nextDoubted(0); at !== undefined; at = this.nextDoubted(at + 1)) regions.push(at);
    return regions;
  }

  #addDirty(region: number): void {
    this.#unsettle(region);
    this.#dirty.add(region);
    this.#endDoubt(region);
  }

  #endDoubt(region: number): void {
    if (!this.isDoubted(region)) return;
    this.#doubted[region >> 3] = (this.#doubted[region >> 3] ?? 0) & ~(1 << (region & 7));
    this.#doubtedCount -= 1;
  }

  /**
   * The next dirty region to send. Moves those passed over to the end, so that they are not met
   * each time.
   */
  nextDirty(): number | undefined {
    if (this.#passedOver.size === this.#dirty.size) return undefined;
    for (const region of this.#dirty) {
      if (!this.#passedOver.has(region)) return region;
      this.#toTheEnd(region);
    }
    return undefined;
  }

  /** Passes over a region that the source can't read. It stays dirty, and the others go on. */
  passOver(region: number): void {
    if (!this.#dirty.has(region)) return;
    this.#toTheEnd(region);
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
    for (const region of this.#coveredWhole(offset, length)) this.#clean(region);
  }

  /**
   * Makes unreadable regions due again that an unnumbered write covers whole: it may have mended
   * them.
   */
  retryCovered(offset: number, length: number): void {
    if (this.#passedOver.size === 0) return;
    for (const region of this.#coveredWhole(offset, length)) this.#passedOver.delete(region);
  }

  #clean(region: number): void {
    this.#dirty.delete(region);
    this.#unreadable.delete(region);
    this.#passedOver.delete(region);
  }

  *#coveredWhole(offset: number, length: number): Generator<number> {
    const end = offset + length;
    for (let region = Math.ceil(offset / REGION_BYTES); region < this.regions; region += 1) {
      if (Math.min((region + 1) * REGION_BYTES, this.#sizeBytes) > end) return;
      yield region;
    }
  }

  #toTheEnd(region: number): void {
    this.#dirty.delete(region);
    this.#dirty.add(region);
  }

  /** Counts a region as queued for sending: outstanding like any write, and no longer dirty. */
  resend(region: number): void {
    this.#clean(region);
    this.#outstanding.set(region, (this.#outstanding.get(region) ?? 0) + 1);
    this.#unsettle(region);
  }

  /**
   * Clears the bits of the settled regions.
   * @returns them, for the shell to store.
   */
  clearSettled(): number[] {
    return this.#clearAll(this.#settled);
  }

  /**
   * First of two steps of clearing, for a shell that syncs the source in between.
   * @returns how many regions are to be cleared.
   */
  beginClearing(): number {
    for (const region of this.#settled) this.#clearing.add(region);
    this.#settled.clear();
    return this.#clearing.size;
  }

  /**
   * Clears the bits of the regions that were settled at `beginClearing` and not touched since.
   * @returns them.
   */
  finishClearing(): number[] {
    return this.#clearAll(this.#clearing);
  }

  get settled(): number {
    return this.#settled.size;
  }

  /** Whether a region of these bytes is to be sent again. */
  isDirty(offset: number, length: number): boolean {
    if (this.#dirty.size === 0) return false;
    const last = lastRegion(offset, length);
    for (let region = firstRegion(offset); region <= last; region += 1) if (this.#dirty.has(region)) return true;
    return false;
  }

  #unsettle(region: number): void {
    this.#settled.delete(region);
    this.#clearing.delete(region);
  }

  #clearAll(regions: Set<number>): number[] {
    const cleared = [...regions];
    regions.clear();
    for (const region of cleared) this.#clear(region);
    return cleared;
  }

  #set(region: number): void {
    if (this.#bits === NO_BITS) this.#bits = new Uint8Array(this.byteLength);
    this.#bits[region >> 3] = (this.#bits[region >> 3] ?? 0) | (1 << (region & 7));
    this.#marked += 1;
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

export function firstRegion(offset: number): number {
  return Math.floor(offset / REGION_BYTES);
}

export function lastRegion(offset: number, length: number): number {
  return Math.floor((offset + Math.max(length, 1) - 1) / REGION_BYTES);
}
