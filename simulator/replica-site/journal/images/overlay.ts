// The difference between the live replica and the volume at one position: the first UNDO after it
// for each byte.
import { ExtentMap } from '../ranges/extent-map.js';
import type { Extent } from '../ranges/extent-map.js';
import { DAMAGED_RUN, ZERO_RUN } from '../undo/undo-index.js';
import type { UndoIndex } from '../undo/undo-index.js';

export class Overlay {
  readonly #position: number;
  readonly #extents = new ExtentMap();
  /**
   * Files that hold the old bytes. Consolidation may rewrite a segment meanwhile; the old file is
   * kept for the image.
   */
  readonly #paths: string[] = [];
  readonly #files = new Map<string, number>();

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
    const file = this.#fileOf(index.path);
    for (let record = from; record < to; record += 1) {
      const offset = index.offset(record);
      const length = index.length(record);
      this.#extents.cover(offset, offset + length, {
        file,
        fileOffset: index.fileOffset(record),
        recordOffset: offset,
        recordLength: length,
      });
    }
  }

  /** The parts of [start, end) whose bytes come from UNDO: the first `countMax` of them. */
  within(start: number, end: number, countMax?: number): readonly Extent[] {
    return this.#extents.within(start, end, countMax);
  }

  /** The file that holds an extent's bytes. */
  path(extent: Extent): string {
    return this.#paths[extent.source.file] ?? '';
  }

  #fileOf(path: string): number {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    this.#files.set(path, this.#paths.length);
    return this.#paths.push(path) - 1;
  }
}

/** Whether the extent's bytes were zero, so that no record holds them. */
export function isZeroRun(extent: Extent): boolean {
  return extent.source.fileOffset === ZERO_RUN;
}

/** Whether the extent's bytes failed their check when they were overwritten. */
export function isDamagedRun(extent: Extent): boolean {
  return extent.source.fileOffset === DAMAGED_RUN;
}
