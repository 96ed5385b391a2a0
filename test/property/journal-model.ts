// The trivial model of a volume: a whole copy of its bytes for each position, as long as the volume
// was then.
import type { NewRecord } from '../../simulator/replica-site/journal/terms/types.js';

export class VolumeModel {
  #sizeBytes: number;
  readonly #versions: Buffer[];
  readonly #records: (NewRecord | undefined)[] = [undefined];

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#versions = [Buffer.alloc(sizeBytes)];
  }

  /** The present size, which may be larger than that of the last position. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Position of the last record. */
  get position(): number {
    return this.#versions.length - 1;
  }

  record(position: number): NewRecord | undefined {
    return this.#records[position];
  }

  append(record: NewRecord): void {
    const before = lengthened(this.at(this.position), this.#sizeBytes);
    this.#records.push(record);
    switch (record.kind) {
      case 'write': {
        const bytes = Buffer.from(before);
        bytes.set(record.data, record.offset);
        this.#versions.push(bytes);
        return;
      }
      case 'zeroes':
        this.#versions.push(Buffer.from(before).fill(0, record.offset, record.offset + record.length));
        return;
      case 'initBegin':
      case 'initEnd':
        this.#versions.push(before);
    }
  }

  /** The volume at a position. */
  at(position: number): Buffer {
    const version = this.#versions[position];
    if (version === undefined) throw new RangeError(`no position ${position} in the model`);
    return version;
  }

  /** Makes the volume larger. Positions up to the given one keep the size that they had. */
  grow(sizeBytes: number, upTo: number): void {
    this.#sizeBytes = sizeBytes;
    for (let position = upTo + 1; position <= this.position; position += 1)
      this.#versions[position] = lengthened(this.at(position), sizeBytes);
  }

  /**
   * Forgets records after a position: they were lost with the process, and nobody had been told of
   * them.
   */
  cut(position: number): void {
    this.#versions.length = position + 1;
    this.#records.length = position + 1;
  }
}

/** The bytes with zeroes behind them, up to a size. */
function lengthened(bytes: Buffer, sizeBytes: number): Buffer {
  return bytes.length === sizeBytes ? bytes : Buffer.concat([bytes], sizeBytes);
}
