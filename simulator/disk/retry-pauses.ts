// Growing pauses between tries of what is refused for a while, by a full disk above all: a try
// succeeds soon after the cause has gone, and costs little until then.

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
