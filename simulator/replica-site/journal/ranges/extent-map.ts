// Sorted, disjoint ranges of the volume, each with the UNDO record that holds its old bytes.
import { ExtentLeaf, LEAF_EXTENTS_MAX } from './extent-leaf.js';
import type { ExtentSource } from './extent-leaf.js';

export interface Extent {
  readonly start: number;
  readonly end: number;
  readonly source: ExtentSource;
}

export class ExtentMap {
  readonly #leaves: ExtentLeaf[] = [new ExtentLeaf()];
  #count = 0;
  #bytes = 0;

  get count(): number {
    return this.#count;
  }

  /** Bytes of the volume that are covered. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the parts of [start, end) that are not covered yet: earlier extents stay. */
  cover(start: number, end: number, source: ExtentSource): void {
    let at = start;
    while (at < end) {
      const place = this.#find(at);
      const nextStart = place.leaf.count > place.index ? place.leaf.start(place.index) : Infinity;
      const nextEnd = place.leaf.count > place.index ? place.leaf.end(place.index) : Infinity;
      const gapEnd = Math.min(end, nextStart);
      if (gapEnd > at) this.#insert(place, at, gapEnd, source);
      at = Math.max(gapEnd, nextEnd);
    }
  }

  /** The covered parts of [start, end), in order: the first `countMax` of them. */
  within(start: number, end: number, countMax = Number.POSITIVE_INFINITY): readonly Extent[] {
    const found: Extent[] = [];
    const place = this.#find(start);
    for (let number = place.number, index = place.index; number < this.#leaves.length; number += 1, index = 0) {
      const leaf = this.#leaves[number];
      if (leaf === undefined) break;
      for (; index < leaf.count; index += 1) {
        if (leaf.start(index) >= end || found.length === countMax) return found;
        found.push({
          start: Math.max(start, leaf.start(index)),
          end: Math.min(end, leaf.end(index)),
          source: leaf.source(index),
        });
      }
    }
    return found;
  }

  /** The first extent that ends after `offset`, or the place behind the last one. */
  #find(offset: number): Place {
    let low = 1;
    let high = this.#leaves.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#leaves[middle]?.start(0) ?? Infinity) <= offset) low = middle + 1;
      else high = middle;
    }
    const leaf = this.#leaf(low - 1);
    const index = leaf.firstEndingAfter(offset);
    if (index < leaf.count || low >= this.#leaves.length) return { number: low - 1, leaf, index };
    return { number: low, leaf: this.#leaf(low), index: 0 };
  }

  #insert(place: Place, start: number, end: number, source: ExtentSource): void {
    let { leaf, index } = place;
    if (leaf.count === LEAF_EXTENTS_MAX) {
      const upper = leaf.split();
      this.#leaves.splice(place.number + 1, 0, upper);
      if (index > leaf.count) {
        index -= leaf.count;
        leaf = upper;
      }
    }
    leaf.insert(index, start, end, source);
    this.#count += 1;
    this.#bytes += end - start;
  }

  #leaf(number: number): ExtentLeaf {
    const leaf = this.#leaves[number];
    if (leaf === undefined) throw new RangeError(`no leaf ${number}`);
    return leaf;
  }
}

interface Place {
  readonly number: number;
  readonly leaf: ExtentLeaf;
  readonly index: number;
}
