// Growing pauses between tries. Jitter keeps many splitters from coming back all at once.

const FIRST_MS = 50;
const LAST_MS = 2_000;

export class Backoff {
  #nextMs = FIRST_MS;

  /** The pause before the next try, in milliseconds: half to all of 50, 100, 200 … 2,000. */
  next(): number {
    const ms = this.#nextMs * (0.5 + Math.random() / 2);
    this.#nextMs = Math.min(LAST_MS, this.#nextMs * 2);
    return ms;
  }

  reset(): void {
    this.#nextMs = FIRST_MS;
  }
}
