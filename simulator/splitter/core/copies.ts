// The numbered copies of a volume's writes on their way to the replica site, in order, within bounds: memory first, then a spill file.

import { REGION_BYTES } from './marks.js';

/** Bookkeeping of one copy besides its data, so that a flood of tiny writes is bounded too. */
const COPY_OVERHEAD_BYTES = 256;

interface CopyHead {
  readonly n: number;
  readonly timeMs: number;
}
export interface WriteCopy extends CopyHead {
  readonly kind: 'write';
  readonly offset: number;
  readonly length: number;
  /** Where the data is: in memory, or at this place of the spill file. */
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

/** A bounded file that holds what does not fit in memory while a fence is up. Synchronous: it is only touched under a fence. */
export interface SpillFile {
  /** Bytes it may still take. */
  readonly freeBytes: number;
  /** Returns where the data went; undefined when the file could not take it after all. */
  append(data: Buffer): number | undefined;
  read(at: number, length: number): Buffer;
  /** Nothing in it is needed any more. */
  reset(): void;
}

/** Memory that the volumes of one splitter share. */
export class MemoryBudget {
  readonly maxBytes: number;
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get freeBytes(): number {
    return Math.max(0, this.maxBytes - this.#usedBytes);
  }

  /** @param always even beyond the bound. */
  take(bytes: number, always = false): boolean {
    if (!always && this.#usedBytes + bytes > this.maxBytes) return false;
    this.#usedBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

export class CopyQueue {
  readonly #budget: MemoryBudget;
  readonly #spill: SpillFile;
  readonly #volumeMaxBytes: number;
  #copies: (Copy | undefined)[] = [];
  /** Index of the oldest unconfirmed copy; what lies before it is dropped now and then. */
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
  }

  /** Bytes of data that are not confirmed. */
  get dataBytes(): number {
    return this.#dataBytes;
  }

  get isEmpty(): boolean {
    return this.#head === this.#copies.length;
  }

  /** Whether there is room for a region to be sent again: resends use at most half, so that live writes find the rest. */
  get hasRoomForResend(): boolean {
    return this.isEmpty || this.#memoryBytes < this.#shareBytes / 2;
  }

  /**
   * What the volume may hold in memory now: never more than what is free, so that volumes whose copies can't be sent leave
   * room for all others (dynamic thresholds: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998).
   */
  get #shareBytes(): number {
    return Math.min(this.#volumeMaxBytes, this.#budget.freeBytes);
  }

  /**
   * @param maySpill whether data may go to the spill file when memory is full (behind a fence).
   * @returns false when there is no room: the caller keeps a mark only.
   */
  push(copy: Copy, maySpill: boolean): boolean {
    const cost = memoryCost(copy);
    // One that is small finds room in an empty queue always, so that every volume gets on, however slowly.
    const always = this.isEmpty && cost <= REGION_BYTES + COPY_OVERHEAD_BYTES;
    if ((always || this.#memoryBytes + cost <= this.#shareBytes) && this.#budget.take(cost, always)) {
      this.#memoryBytes += cost;
      this.#copies.push(copy);
    } else if (!maySpill || !this.#pushSpilled(copy)) {
      return false;
    }
    this.#dataBytes += dataLength(copy);
    return true;
  }

  /** Marker records always fit: there are at most two of them in a queue. */
  pushMarker(copy: InitBeginCopy | InitEndCopy): void {
    this.#copies.push(copy);
  }

  /** The overhead of a spilled copy may exceed the volume's share, never the splitter's. */
  #pushSpilled(copy: Copy): boolean {
    if (!this.#budget.take(COPY_OVERHEAD_BYTES)) return false;
    const spilled = copy.kind === 'write' ? this.#spillData(copy) : copy;
    if (spilled === undefined) {
      this.#budget.give(COPY_OVERHEAD_BYTES);
      return false;
    }
    this.#memoryBytes += COPY_OVERHEAD_BYTES;
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

  /** The data of a write, read back from the spill file if it is there. */
  dataOf(copy: WriteCopy): Buffer {
    return Buffer.isBuffer(copy.data) ? copy.data : this.#spill.read(copy.data.spilledAt, copy.length);
  }

  /** The stream broke: whatever is unconfirmed has to be sent again. */
  rewind(): void {
    this.#next = this.#head;
  }

  /** Everything up to `n` is durable at the replica site. */
  confirm(n: number, confirmed: (copy: Copy) => void): void {
    for (let copy = this.#copies[this.#head]; copy !== undefined && copy.n <= n; copy = this.#copies[this.#head]) {
      this.#copies[this.#head] = undefined;
      this.#head += 1;
      const cost = copy.kind === 'write' && !Buffer.isBuffer(copy.data) ? COPY_OVERHEAD_BYTES : memoryCost(copy);
      if (copy.kind !== 'initBegin' && copy.kind !== 'initEnd') {
        this.#memoryBytes -= cost;
        this.#budget.give(cost);
      }
      this.#dataBytes -= dataLength(copy);
      if (copy.kind === 'write' && !Buffer.isBuffer(copy.data)) this.#unspill();
      confirmed(copy);
    }
    if (this.#next < this.#head) this.#next = this.#head;
    this.#compact();
  }

  /** Nothing of it will be sent: what was numbered has no place in the replica's history any more. */
  drop(dropped: (copy: Copy) => void): void {
    this.confirm(Number.MAX_SAFE_INTEGER, dropped);
  }

  /** Data of the copies beyond `n`. */
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

  /** The places of confirmed copies go now and then: amortised constant time. */
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
