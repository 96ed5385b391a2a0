// Spill files for tests of the splitter's core: one that takes nothing, and one in memory.
import type { SpillFile } from '../../simulator/splitter/core/copies.js';

/** Has no room: what finds no room in memory is not kept. */
export const NO_SPILL: SpillFile = {
  freeBytes: 0,
  append: () => undefined,
  read: () => Buffer.alloc(0),
  reset: () => undefined,
};

export class MemorySpill implements SpillFile {
  readonly #maxBytes: number;
  #data = Buffer.alloc(0);
  /** Whether its disk takes nothing. */
  isBroken = false;
  /** How often it was emptied. */
  resets = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get freeBytes(): number {
    return this.#maxBytes - this.#data.length;
  }

  append(data: Buffer): number | undefined {
    if (this.isBroken) return undefined;
    const at = this.#data.length;
    this.#data = Buffer.concat([this.#data, data]);
    return at;
  }

  read(at: number, length: number): Buffer {
    return this.#data.subarray(at, at + length);
  }

  reset(): void {
    this.resets += 1;
    this.#data = Buffer.alloc(0);
  }
}
