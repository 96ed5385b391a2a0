// A set of blocks as sorted ranges that don't touch: damage comes in stretches, up to a whole
// volume.
import { BLOCK_BYTES } from './blocks.js';
import type { ByteRange } from '../terms/damage.js';

interface Range {
  readonly from: number;
  readonly to: number;
}

export class BlockRanges {
  #ranges: Range[] = [];

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  has(block: number): boolean {
    return this.#ranges.some(({ from, to }) => block >= from && block < to);
  }

  /** Adds blocks [from, to). */
  add(from: number, to: number): void {
    if (from >= to) return;
    const apart = this.#ranges.filter((range) => range.to < from || range.from > to);
    const touching = this.#ranges.filter((range) => range.to >= from && range.from <= to);
    const merged = {
      from: Math.min(from, ...touching.map((range) => range.from)),
      to: Math.max(to, ...touching.map((range) => range.to)),
    };
    this.#ranges = [...apart, merged].sort((one, other) => one.from - other.from);
  }

  /** Removes blocks [from, to). */
  remove(from: number, to: number): void {
    if (from >= to) return;
    this.#ranges = this.#ranges.flatMap((range) => {
      if (range.to <= from || range.from >= to) return [range];
      const left = { from: range.from, to: Math.min(range.to, from) };
      const right = { from: Math.max(range.from, to), to: range.to };
      return [left, right].filter((part) => part.from < part.to);
    });
  }

  /** The ranges in bytes of a volume. */
  bytes(sizeBytes: number): readonly ByteRange[] {
    return this.#ranges.flatMap(({ from, to }) => {
      const offset = from * BLOCK_BYTES;
      const end = Math.min(to * BLOCK_BYTES, sizeBytes);
      return end > offset ? [{ offset, length: end - offset }] : [];
    });
  }
}
