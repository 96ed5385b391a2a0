// How many bytes of scratch may be written: by one access, and by all accesses of the process.

const GIB = 1024 ** 3;
/**
 * Most scratch of one access (or one connection to a "+rw" export), bytes: enough to test what is
 * restored, not for a second disk.
 */
export const SCRATCH_BYTES_MAX = 16 * GIB;
/** Scratch of the whole process, bytes. */
export const PROCESS_SCRATCH_BYTES_MAX = 64 * GIB;

export class ScratchBudget {
  readonly bytesMax: number;
  readonly #within: ScratchBudget | undefined;
  #bytes = 0;

  constructor(bytesMax: number, within?: ScratchBudget) {
    this.bytesMax = bytesMax;
    this.#within = within;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes bytes from this budget and the one around it. @returns the limit that would be exceeded
   * (nothing is taken then); undefined if the bytes were taken
   */
  take(bytes: number): ScratchBudget | undefined {
    if (this.#bytes + bytes > this.bytesMax) return this;
    const refused = this.#within?.take(bytes);
    if (refused === undefined) this.#bytes += bytes;
    return refused;
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes;
    this.#within?.giveBack(bytes);
  }
}
