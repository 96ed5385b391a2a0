// Pages of the checksum file in memory, while a batch is applied: what its reads brought is there
// for its writes, and its many small writes become few.

const PAGE_BYTES = 4096;
const SUM_BYTES = 4;
/**
 * Most pages in memory: checksums of 1 GiB of the volume. More than the records of one batch touch,
 * so that its reads are still there for its writes.
 */
const PAGES_MAX = 256;
/** Two changes that are at most this far apart are written together: the call costs more. */
const GAP_PAGES_MAX = 2;

export interface PageFile {
  /** Fills `into` from byte `at`. @returns the bytes read: fewer only at the end of the file */
  read(into: Buffer, at: number): number;
  write(parts: readonly Buffer[], at: number): void;
}

interface Page {
  readonly number: number;
  readonly bytes: Buffer;
  /** Bytes of the page that the file lacks: from, and to (exclusive); none if equal. */
  from: number;
  to: number;
}

/** Places are bytes of the file, multiples of a checksum. */
export class SumPages {
  readonly #file: PageFile;
  readonly #pages = new Map<number, Page>();

  constructor(file: PageFile) {
    this.#file = file;
  }

  /** The checksum at a place. */
  at(place: number): number {
    return this.#page(place).bytes.readUInt32LE(place % PAGE_BYTES);
  }

  /** Changes the checksum at a place, in memory. */
  set(place: number, sum: number): void {
    const page = this.#page(place);
    const at = place % PAGE_BYTES;
    page.bytes.writeUInt32LE(sum, at);
    const isStored = page.from === page.to;
    page.from = isStored ? at : Math.min(page.from, at);
    page.to = isStored ? at + SUM_BYTES : Math.max(page.to, at + SUM_BYTES);
  }

  /** Puts checksums in memory over those that were read from the file at `place`. */
  copyTo(sums: Buffer, place: number): void {
    this.#overlaps(place, sums.length, ({ bytes }, at, from, to) => bytes.copy(sums, at, from, to));
  }

  /** Takes over checksums that were written to the file at `place`. */
  copyFrom(sums: Buffer, place: number): void {
    this.#overlaps(place, sums.length, ({ bytes }, at, from, to) => sums.copy(bytes, from, at, at + to - from));
  }

  /** Writes what the file lacks, neighbouring pages together. */
  store(): void {
    const changed = [...this.#pages.values()].filter(({ from, to }) => from < to);
    changed.sort((one, other) => one.number - other.number);
    for (let next = 0; next < changed.length;) {
      const run = this.#runFrom(changed, next);
      const [first] = run;
      if (first !== undefined) this.#file.write(partsOf(run), first.number * PAGE_BYTES + first.from);
      for (const page of run) {
        if (page.from < page.to) next += 1;
        page.from = page.to;
      }
    }
  }

  /** Lets go of all pages. What is not stored is lost. */
  clear(): void {
    this.#pages.clear();
  }

  #page(place: number): Page {
    const number = Math.floor(place / PAGE_BYTES);
    const known = this.#pages.get(number);
    if (known !== undefined) return known;
    if (this.#pages.size >= PAGES_MAX) {
      this.store();
      this.clear();
    }
    const bytes = Buffer.allocUnsafe(PAGE_BYTES);
    bytes.fill(0, this.#file.read(bytes, number * PAGE_BYTES));
    const page = { number, bytes, from: 0, to: 0 };
    this.#pages.set(number, page);
    return page;
  }

  /**
   * A changed page and those after it that one call can write: all that lies between is in memory.
   */
  #runFrom(changed: readonly Page[], index: number): readonly Page[] {
    const run: Page[] = changed.slice(index, index + 1);
    for (const page of changed.slice(index + 1)) {
      const last = run.at(-1)?.number ?? page.number;
      if (page.number - last - 1 > GAP_PAGES_MAX) return run;
      for (let number = last + 1; number < page.number; number += 1) {
        const between = this.#pages.get(number);
        if (between === undefined) return withoutEnd(run);
        run.push(between);
      }
      run.push(page);
    }
    return run;
  }

  /** Calls `visit` with each page in memory that overlaps the range, and the overlap. */
  #overlaps(place: number, length: number, visit: (page: Page, at: number, from: number, to: number) => void): void {
    if (this.#pages.size === 0) return;
    for (let at = place; at < place + length;) {
      const from = at % PAGE_BYTES;
      const to = Math.min(PAGE_BYTES, from + place + length - at);
      const page = this.#pages.get(Math.floor(at / PAGE_BYTES));
      if (page !== undefined) visit(page, at - place, from, to);
      at += to - from;
    }
  }
}

/** The run up to its last changed page. */
function withoutEnd(run: readonly Page[]): readonly Page[] {
  return run.slice(0, run.findLastIndex(({ from, to }) => from < to) + 1);
}

/** One range of the file: what lies between two changes is written as it was read. */
function partsOf(run: readonly Page[]): Buffer[] {
  const last = run.length - 1;
  return run.map(({ bytes, from, to }, index) =>
    bytes.subarray(index === 0 ? from : 0, index === last ? to : PAGE_BYTES),
  );
}
