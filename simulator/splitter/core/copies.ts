// The numbered copies of a volume's writes on their way to the replica site: in order and bounded,
// first in memory, then in a spill file.

import { REGION_BYTES } from './marks.js';

/** Memory that a copy takes besides its data, in bytes: bounds a flood of tiny writes too. */
const COPY_OVERHEAD_BYTES = 256;

interface CopyHead {
  readonly n: number;
  readonly timeMs: number;
}
export interface WriteCopy extends CopyHead {
  readonly kind: 'write';
  readonly offset: number;
  readonly length: number;
  /** The data in memory, or its place in the spill file. */
  readonly data: Buffer | { readonly spilledAt: number };
}
export interface ZeroesCopy extends CopyHead {
  readonly kind: 'zeroes';
  readonly offset: number;
  readonly length: number;
}
export interface InitBeginCopy extends CopyHead {
  readonly kind: 'initBegin';
  readonly sinceMs: number;
  readonly reason: string;
}
export interface InitEndCopy extends CopyHead {
  readonly kind: 'initEnd';
}
export type Copy = WriteCopy | ZeroesCopy | InitBeginCopy | InitEndCopy;

/**
 * A bounded file for copies that find no room in memory while a fence is up. Synchronous: used only
 * under a fence.
 */
export interface SpillFile {
  /** Bytes that still fit. */
  readonly freeBytes: number;
  /** @returns the data's place; undefined when it could not be written. */
  append(data: Buffer): number | undefined;
  read(at: number, length: number): Buffer;
  /** Empties the file. */
  reset(): void;
}

/** Part of the memory that is divided among the volumes. The rest is shared. */
const OWN_PART = 1 / 4;

/**
 * Memory that one splitter's volumes share. Each volume also has a part of its own that others
 * can't take: volumes whose copies can't be sent may use up the shared rest, however it is divided.
 */
export class MemoryBudget {
  readonly maxBytes: number;
  /** Least number of own parts; undefined: no volume has a part of its own. */
  readonly #partsMin: number | undefined;
  readonly #queues = new Set<Pick<CopyQueue, 'memoryBytes'>>();
  #ownBytes = 0;
  #sharedMaxBytes: number;
  #sharedUsedBytes = 0;

  /**
   * @param volumes how many will have a part of their own at the start; parts shrink for those that
   * are added later. Undefined: all memory is shared.
   */
  constructor(maxBytes: number, volumes?: number) {
    this.maxBytes = maxBytes;
    this.#partsMin = volumes;
    this.#sharedMaxBytes = maxBytes;
    this.#divide();
  }

  /** What each volume holds for itself, in bytes. */
  get ownBytes(): number {
    return this.#ownBytes;
  }

  /** Gives a volume its part. */
  enter(queue: Pick<CopyQueue, 'memoryBytes'>): void {
    this.#queues.add(queue);
    if (this.#queues.size > (this.#partsMin ?? Infinity)) this.#divide();
  }

  /** Divides the part of a volume that was retired among the others. */
  leave(queue: Pick<CopyQueue, 'memoryBytes'>): void {
    const { size } = this.#queues;
    this.#queues.delete(queue);
    if (size > (this.#partsMin ?? Infinity)) this.#divide();
  }

  /** What a volume holds beyond its new part counts as shared, even beyond the shared rest. */
  #divide(): void {
    if (this.#partsMin === undefined) return;
    const parts = Math.max(this.#partsMin, this.#queues.size);
    this.#ownBytes = parts === 0 ? 0 : Math.floor((this.maxBytes * OWN_PART) / parts);
    this.#sharedMaxBytes = this.maxBytes - this.#ownBytes * parts;
    this.#sharedUsedBytes = [...this.#queues].reduce((sum, { memoryBytes }) => sum + this.#sharedOf(memoryBytes), 0);
  }

  /** Free bytes of the shared rest. */
  get freeBytes(): number {
    return Math.max(0, this.#sharedMaxBytes - this.#sharedUsedBytes);
  }

  /**
   * Takes memory for a volume that holds `heldBytes`.
   * @param always even beyond the bound.
   * @returns whether it was taken.
   */
  take(heldBytes: number, bytes: number, always = false): boolean {
    const shared = this.#sharedOf(heldBytes + bytes) - this.#sharedOf(heldBytes);
    if (!always && shared > 0 && this.#sharedUsedBytes + shared > this.#sharedMaxBytes) return false;
    this.#sharedUsedBytes += shared;
    return true;
  }

  /** Gives back some memory of a volume that holds `heldBytes`. */
  give(heldBytes: number, bytes: number): void {
    this.#sharedUsedBytes -= this.#sharedOf(heldBytes) - this.#sharedOf(heldBytes - bytes);
  }

  #sharedOf(heldBytes: number): number {
    return Math.max(0, heldBytes - this.#ownBytes);
  }
}

export class CopyQueue {
  readonly #budget: MemoryBudget;
  readonly #spill: SpillFile;
  readonly #volumeMaxBytes: number;
  #copies: (Copy | undefined)[] = [];
  /** Index of the oldest unconfirmed copy. `#compact` drops what lies before it. */
  #head = 0;
  /** Index of the next copy to be sent. */
  #next = 0;
  #memoryBytes = 0;
  #dataBytes = 0;
  #spilled = 0;

  constructor(budget: MemoryBudget, spill: SpillFile, volumeMaxBytes: number) {
    this.#budget = budget;
    this.#spill = spill;
    this.#volumeMaxBytes = volumeMaxBytes;
    budget.enter(this);
  }

  /** Gives the volume's part of the memory to the others. The queue must be empty. */
  leave(): void {
    this.#budget.leave(this);
  }

  /** What the queue holds in memory, in bytes. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Unconfirmed data, in bytes. */
  get dataBytes(): number {
    return this.#dataBytes;
  }

  get isEmpty(): boolean {
    return this.#head === this.#copies.length;
  }

  /** Wall time of the oldest unconfirmed copy; undefined without one. */
  get oldestMs(): number | undefined {
    return this.#copies[this.#head]?.timeMs;
  }

  /**
   * Whether there is room to send a region again. Resends use at most half, and leave the rest to
   * live writes.
   */
  get hasRoomForResend(): boolean {
    return this.isEmpty || this.#memoryBytes < this.#shareBytes / 2;
  }

  /**
   * What the volume may hold in memory now: its own part, and as much of the shared rest as is
   * still free. So a few volumes whose copies can't be sent leave room for others (dynamic
   * thresholds: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998). Many of them
   * take nearly all of it one after another: hence each volume's own part.
   */
  get #shareBytes(): number {
    return Math.min(this.#volumeMaxBytes, this.#budget.ownBytes + this.#budget.freeBytes);
  }

  /**
   * Adds a copy.
   * @param maySpill whether its data may go to the spill file when memory is full (behind a fence).
   * @returns false when there is no room: the caller keeps only a mark.
   */
  push(copy: Copy, maySpill: boolean): boolean {
    const cost = memoryCost(copy);
    // A small copy always fits into an empty queue, so every volume gets on, however slowly.
    const always = this.isEmpty && cost <= REGION_BYTES + COPY_OVERHEAD_BYTES;
    if (
      (always || this.#memoryBytes + cost <= this.#shareBytes) &&
      this.#budget.take(this.#memoryBytes, cost, always)
    ) {
      this.#memoryBytes += cost;
      this.#copies.push(copy);
    } else if (!maySpill || !this.#pushSpilled(copy)) {
      return false;
    }
    this.#dataBytes += dataLength(copy);
    return true;
  }

  /** Marker records always fit: a queue holds at most two. */
  pushMarker(copy: InitBeginCopy | InitEndCopy): void {
    this.#copies.push(copy);
  }

  /** The overhead of a spilled copy may exceed the volume's share, never the splitter's. */
  #pushSpilled(copy: Copy): boolean {
    if (!this.#budget.take(this.#memoryBytes, COPY_OVERHEAD_BYTES)) return false;
    this.#memoryBytes += COPY_OVERHEAD_BYTES;
    const spilled = copy.kind === 'write' ? this.#spillData(copy) : copy;
    if (spilled === undefined) {
      this.#budget.give(this.#memoryBytes, COPY_OVERHEAD_BYTES);
      this.#memoryBytes -= COPY_OVERHEAD_BYTES;
      return false;
    }
    this.#copies.push(spilled);
    return true;
  }

  #spillData(copy: WriteCopy): WriteCopy | undefined {
    if (!Buffer.isBuffer(copy.data) || copy.length > this.#spill.freeBytes) return undefined;
    const spilledAt = this.#spill.append(copy.data);
    if (spilledAt === undefined) return undefined;
    this.#spilled += 1;
    return { ...copy, data: { spilledAt } };
  }

  /** The next copy to send, no further than `upTo`. */
  peek(upTo: number): Copy | undefined {
    const copy = this.#copies[this.#next];
    return copy === undefined || copy.n > upTo ? undefined : copy;
  }

  advance(): void {
    this.#next += 1;
  }

  /** A write's data, read back from the spill file if it is there. */
  dataOf(copy: WriteCopy): Buffer {
    return Buffer.isBuffer(copy.data) ? copy.data : this.#spill.read(copy.data.spilledAt, copy.length);
  }

  /** Starts sending again at the oldest unconfirmed copy: the stream broke. */
  rewind(): void {
    this.#next = this.#head;
  }

  /** Removes copies up to `n`, which are durable at the replica site. */
  confirm(n: number, confirmed: (copy: Copy) => void): void {
    for (let copy = this.#copies[this.#head]; copy !== undefined && copy.n <= n; copy = this.#copies[this.#head]) {
      this.#copies[this.#head] = undefined;
      this.#head += 1;
      const cost = copy.kind === 'write' && !Buffer.isBuffer(copy.data) ? COPY_OVERHEAD_BYTES : memoryCost(copy);
      if (copy.kind !== 'initBegin' && copy.kind !== 'initEnd') {
        this.#budget.give(this.#memoryBytes, cost);
        this.#memoryBytes -= cost;
      }
      this.#dataBytes -= dataLength(copy);
      if (copy.kind === 'write' && !Buffer.isBuffer(copy.data)) this.#unspill();
      confirmed(copy);
    }
    if (this.#next < this.#head) this.#next = this.#head;
    this.#compact();
  }

  /** Removes all copies, unsent: the replica's history has no place for them any more. */
  drop(dropped: (copy: Copy) => void): void {
    this.confirm(Number.MAX_SAFE_INTEGER, dropped);
  }

  /** Data of the copies beyond `n`, in bytes. */
  dataBytesBeyond(n: number): number {
    let bytes = 0;
    for (let i = this.#copies.length - 1; i >= this.#head; i -= 1) {
      const copy = this.#copies[i];
      if (copy === undefined || copy.n <= n) break;
      bytes += dataLength(copy);
    }
    return bytes;
  }

  #unspill(): void {
    this.#spilled -= 1;
    if (this.#spilled === 0) this.#spill.reset();
  }

  /** Drops the places of confirmed copies, in amortised constant time. */
  #compact(): void {
    if (this.#head === this.#copies.length) {
      this.#copies = [];
      this.#next = 0;
      this.#head = 0;
    } else if (this.#head > 1_024 && this.#head * 2 > this.#copies.length) {
      this.#copies = this.#copies.slice(this.#head);
      this.#next -= this.#head;
      this.#head = 0;
    }
  }
}

function dataLength(copy: Copy): number {
  return copy.kind === 'write' ? copy.length : 0;
}

function memoryCost(copy: Copy): number {
  return COPY_OVERHEAD_BYTES + dataLength(copy);
}
