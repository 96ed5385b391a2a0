// A leaf of an extent map: a sorted run of extents in flat arrays, as a map may hold millions.

/**
 * Most extents of a leaf: few enough to shift at each insertion, many enough to keep leaves few.
 */
export const LEAF_EXTENTS_MAX = 256;

/** Which UNDO record holds the bytes of an extent. */
export interface ExtentSource {
  /** Number of its file: the map's owner numbers the files. */
  readonly file: number;
  /** Byte of the record's header in its segment. */
  readonly fileOffset: number;
  /** Range of the volume that the whole record covers. */
  readonly recordOffset: number;
  readonly recordLength: number;
}

/** Stands for the source of extents whose bounds alone are used. */
export const NO_SOURCE: ExtentSource = { file: 0, fileOffset: 0, recordOffset: 0, recordLength: 0 };

export class ExtentLeaf {
  count = 0;
  readonly #starts = new Float64Array(LEAF_EXTENTS_MAX);
  readonly #ends = new Float64Array(LEAF_EXTENTS_MAX);
  readonly #recordOffsets = new Float64Array(LEAF_EXTENTS_MAX);
  readonly #recordLengths = new Float64Array(LEAF_EXTENTS_MAX);
  readonly #files = new Uint32Array(LEAF_EXTENTS_MAX);
  readonly #fileOffsets = new Uint32Array(LEAF_EXTENTS_MAX);

  start(index: number): number {
    return this.#starts[index] ?? 0;
  }

  end(index: number): number {
    return this.#ends[index] ?? 0;
  }

  source(index: number): ExtentSource {
    return {
      file: this.#files[index] ?? 0,
      fileOffset: this.#fileOffsets[index] ?? 0,
      recordOffset: this.#recordOffsets[index] ?? 0,
      recordLength: this.#recordLengths[index] ?? 0,
    };
  }

  /** Index of the first extent that ends after `offset`; `count` if none does. */
  firstEndingAfter(offset: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.end(middle) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Inserts an extent. The leaf must have room. */
  insert(index: number, start: number, end: number, source: ExtentSource): void {
    for (const numbers of this.#all()) numbers.copyWithin(index + 1, index, this.count);
    this.#starts[index] = start;
    this.#ends[index] = end;
    this.#recordOffsets[index] = source.recordOffset;
    this.#recordLengths[index] = source.recordLength;
    this.#files[index] = source.file;
    this.#fileOffsets[index] = source.fileOffset;
    this.count += 1;
  }

  /** Moves the upper half to a new leaf. */
  split(): ExtentLeaf {
    const upper = new ExtentLeaf();
    const half = this.count >>> 1;
    const theirs = upper.#all();
    this.#all().forEach((numbers, index) => theirs[index]?.set(numbers.subarray(half, this.count)));
    upper.count = this.count - half;
    this.count = half;
    return upper;
  }

  #all(): readonly (Float64Array | Uint32Array)[] {
    return [this.#starts, this.#ends, this.#recordOffsets, this.#recordLengths, this.#files, this.#fileOffsets];
  }
}
