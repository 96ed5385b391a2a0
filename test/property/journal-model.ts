// The trivial model of a volume: a whole copy of its bytes for each position.
import type { NewRecord } from '../../simulator/replica-site/journal/terms/types.js';

export class VolumeModel {
  readonly sizeBytes: number;
  readonly #versions: Buffer[];
  readonly #records: (NewRecord | undefined)[] = [undefined];

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
    this.#versions = [Buffer.alloc(sizeBytes)];
  }

  /** Position of the last record. */
  get position(): number {
    return this.#versions.length - 1;
  }

  record(position: number): NewRecord | undefined {
    return this.#records[position];
  }

  append(record: NewRecord): void {
    const before = this.at(this.position);
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

  /**
   * Forgets records after a position: they were lost with the process, and nobody had been told of
   * them.
   */
  cut(position: number): void {
    this.#versions.length = position + 1;
    this.#records.length = position + 1;
  }
}
