// How much scratch may be written: of one access, and within that of all accesses of the process.

const GIB = 1024 ** 3;
/**
 * Scratch of one access (or one connection to a "+rw" export), bytes: room for a test of what is
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
   * The limit that stands against so many more bytes; undefined if none does: then they are taken.
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
