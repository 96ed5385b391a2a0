// Counts a volume's bytes that were relayed and aren't confirmed: exact when all are confirmed,
// otherwise at most one step too many.

/** Bytes between two remembered places: bounds memory and work for a volume that is far behind. */
const STEP_BYTES = 64 * 1024;

interface Step {
  /** Number of the step's last record. */
  n: number;
  /** Total bytes sent up to that record. */
  sentBytes: number;
}

export class BytesInFlight {
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

  /** Takes the confirmation of everything up to record `n`. */
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
