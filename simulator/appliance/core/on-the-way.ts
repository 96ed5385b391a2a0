// How many bytes of one volume went through and are not confirmed: exact when all are, otherwise up
// to a step too many.

/**
 * Bytes between two places that are remembered: keeps memory and work small for a volume that is
 * far behind.
 */
const STEP_BYTES = 64 * 1024;

interface Step {
  /** Of the last record of the step. */
  n: number;
  /** Bytes sent in all, up to it. */
  sentBytes: number;
}

export class OnTheWay {
  #sentBytes = 0;
  #confirmedBytes = 0;
  readonly #steps: Step[] = [];

  get bytes(): number {
    return this.#sentBytes - this.#confirmedBytes;
  }

  sent(n: number, bytes: number): void {
    this.#sentBytes += bytes;
    const last = this.#steps.at(-1);
    const startedAt = this.#steps.at(-2)?.sentBytes ?? this.#confirmedBytes;
    if (last === undefined || last.sentBytes - startedAt >= STEP_BYTES) {
      this.#steps.push({ n, sentBytes: this.#sentBytes });
      return;
    }
    last.n = n;
    last.sentBytes = this.#sentBytes;
  }

  /** Everything up to `n` arrived. */
  confirmed(n: number): void {
    let done = 0;
    for (const step of this.#steps) {
      if (step.n > n) break;
      this.#confirmedBytes = step.sentBytes;
      done += 1;
    }
    if (done > 0) this.#steps.splice(0, done);
  }
}
