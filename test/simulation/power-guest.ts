// What a guest may find on its disk after a power cut, sector by sector: its last acknowledged
// write, or a later one.

const SECTOR_BYTES = 512;

/** One write with its content. Every write has unique bytes, except zeroes. */
export interface GuestWrite {
  readonly offset: number;
  readonly data: Buffer;
}

export class GuestModel {
  /**
   * What each sector may hold: the last acknowledged content first, then what was issued after it.
   */
  readonly #sectors: (readonly Buffer[])[];
  #writes = 0;

  constructor(sizeBytes: number) {
    this.#sectors = Array.from({ length: sizeBytes / SECTOR_BYTES }, () => [Buffer.alloc(SECTOR_BYTES)]);
  }

  /** Notes a write that is about to be issued. Offset and length are whole sectors. */
  issue(offset: number, length: number, isZero: boolean): GuestWrite {
    this.#writes += 1;
    const data = Buffer.alloc(length);
    if (!isZero) for (let at = 0; at < length; at += 4) data.writeUInt32BE(this.#writes, at);
    for (const [sector, content] of parts(offset, data)) this.#sectors[sector] = [...this.#at(sector), content];
    return { offset, data };
  }

  /** Notes that a write was acknowledged as on stable storage: nothing older may be found. */
  acknowledged({ offset, data }: GuestWrite): void {
    for (const [sector, content] of parts(offset, data)) {
      const contents = this.#at(sector);
      const index = contents.indexOf(content);
      // Otherwise a later write was acknowledged before.
      if (index !== -1) this.#sectors[sector] = contents.slice(index);
    }
  }

  /**
   * Checks what the disk holds after a power cut.
   * @returns what is wrong with it, if anything.
   */
  found(disk: Buffer): string | undefined {
    for (const sector of this.#sectors.keys()) {
      const content = Buffer.from(disk.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES));
      const contents = this.#at(sector);
      if (!contents.some((one) => one.equals(content)))
        return `sector ${sector} of the source lost an acknowledged write: it holds ${nameOf(content)}, and may hold ${contents.map(nameOf).join(', ')}`;
      this.#sectors[sector] = [content];
    }
    return undefined;
  }

  #at(sector: number): readonly Buffer[] {
    const contents = this.#sectors[sector];
    if (contents === undefined) throw new RangeError(`no sector ${sector}`);
    return contents;
  }
}

function* parts(offset: number, data: Buffer): Generator<readonly [sector: number, content: Buffer]> {
  for (let at = 0; at < data.length; at += SECTOR_BYTES) yield [(offset + at) / SECTOR_BYTES, sectorOf(data, at)];
}

const known = new WeakMap<Buffer, Buffer[]>();

/** The same object each time, so that a write is found again by it. */
function sectorOf(data: Buffer, at: number): Buffer {
  const sectors = known.get(data) ?? [];
  known.set(data, sectors);
  return (sectors[at / SECTOR_BYTES] ??= Buffer.from(data.subarray(at, at + SECTOR_BYTES)));
}

function nameOf(content: Buffer): string {
  return `write ${content.readUInt32BE(0)}`;
}
