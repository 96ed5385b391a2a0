// Growing pauses between retries of a write that a disk refused: it succeeds soon after space is
// freed, and costs little until then.

const FIRST_MS = 250;
const LAST_MS = 5_000;

export class RetryPauses {
  #nextMs = FIRST_MS;

  /** The pause before the next try, in milliseconds: 250, 500, 1,000 … 5,000. */
  next(): number {
    const ms = this.#nextMs;
    this.#nextMs = Math.min(LAST_MS, ms * 2);
    return ms;
  }

  reset(): void {
    this.#nextMs = FIRST_MS;
  }
}
