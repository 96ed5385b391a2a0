// An index of UNDO records without their old data: the headers' numbers in flat arrays.

import type { RecordHeader } from '../segments/record-format.js';

const INITIAL_CAPACITY = 64;
/**
 * File offset that marks a run of zeroes, which has no bytes in the file. No record can be there:
 * the segment's header is.
 */
export const ZERO_RUN = 0;
/** File offset that marks bytes that failed their check when they were overwritten. */
export const DAMAGED_RUN = 1;

/** Records of one segment, in order of position. */
export class UndoIndex {
  readonly path: string;
  #count = 0;
  #positions = new Float64Array(INITIAL_CAPACITY);
  #offsets = new Float64Array(INITIAL_CAPACITY);
  #lengths = new Float64Array(INITIAL_CAPACITY);
  #fileOffsets = new Uint32Array(INITIAL_CAPACITY);

  constructor(path: string) {
    this.path = path;
  }

  get count(): number {
    return this.#count;
  }

  /** Adds a record whose header is at `fileOffset`, if it covers bytes of the volume. */
  addRecord({ kind, position, offset, length }: RecordHeader, fileOffset: number): void {
    switch (kind) {
      case 'oldData':
        this.#add(position, offset, length, fileOffset);
        return;
      case 'oldZeroes':
        this.#add(position, offset, length, ZERO_RUN);
        return;
      case 'oldDamaged':
        this.#add(position, offset, length, DAMAGED_RUN);
        return;
      case 'untouched':
      case 'edgeSums':
      case 'write':
      case 'zeroes':
      case 'initBegin':
      case 'initEnd':
    }
  }

  #add(position: number, offset: number, length: number, fileOffset: number): void {
    if (this.#count === this.#positions.length) this.#grow();
    this.#positions[this.#count] = position;
    this.#offsets[this.#count] = offset;
    this.#lengths[this.#count] = length;
    this.#fileOffsets[this.#count] = fileOffset;
    this.#count += 1;
  }

  position(index: number): number {
    return this.#positions[index] ?? 0;
  }

  offset(index: number): number {
    return this.#offsets[index] ?? 0;
  }

  length(index: number): number {
    return this.#lengths[index] ?? 0;
  }

  /**
   * Byte of the record's header in the file; {@link ZERO_RUN} or {@link DAMAGED_RUN} if it has no
   * bytes.
   */
  fileOffset(index: number): number {
    return this.#fileOffsets[index] ?? 0;
  }

  /** Index of the first record after a position. */
  firstAfter(position: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#positions[middle] ?? 0) <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #grow(): void {
    const capacity = this.#positions.length * 2;
    this.#positions = enlarged(this.#positions, new Float64Array(capacity));
    this.#offsets = enlarged(this.#offsets, new Float64Array(capacity));
    this.#lengths = enlarged(this.#lengths, new Float64Array(capacity));
    this.#fileOffsets = enlarged(this.#fileOffsets, new Uint32Array(capacity));
  }
}

function enlarged<Numbers extends Float64Array | Uint32Array>(old: Numbers, larger: Numbers): Numbers {
  larger.set(old);
  return larger;
}
