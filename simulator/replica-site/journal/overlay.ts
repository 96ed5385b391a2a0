// What differs between the live replica and the volume at one position: for each byte the first UNDO after it.
import { ExtentMap } from './extent-map.js';
import type { Extent } from './extent-map.js';
import { ZERO_RUN } from './undo-index.js';
import type { UndoIndex } from './undo-index.js';

export class Overlay {
  readonly #position: number;
  readonly #extents = new ExtentMap();

  constructor(position: number) {
    this.#position = position;
  }

  get count(): number {
    return this.#extents.count;
  }

  get bytes(): number {
    return this.#extents.bytes;
  }

  /** Index of the first record that matters. */
  firstOf(index: UndoIndex): number {
    return index.firstAfter(this.#position);
  }

  /** Adds records [from, to) of an index. Older UNDO must be added before newer. */
  add(index: UndoIndex, from: number, to: number): void {
    for (let record = from; record < to; record += 1) {
      const offset = index.offset(record);
      const length = index.length(record);
      this.#extents.cover(offset, offset + length, {
        sequence: index.sequence,
        fileOffset: index.fileOffset(record),
        recordOffset: offset,
        recordLength: length,
      });
    }
  }

  /** The parts of [start, end) whose bytes come from UNDO. */
  within(start: number, end: number): readonly Extent[] {
    return this.#extents.within(start, end);
  }
}

/** The extent's bytes were zero; no record holds them. */
export function isZeroRun(extent: Extent): boolean {
  return extent.source.fileOffset === ZERO_RUN;
}
