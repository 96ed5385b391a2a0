// Limits the rate of starts: it remembers the last ones and delays the next until the oldest of
// them is long enough ago.

const SECOND_MS = 1_000;

export class StartRate {
  /** Limit of `count` starts in any span of `spanMs`. Absent: no limit. */
  readonly #limit: { readonly count: number; readonly spanMs: number } | undefined;
  #starts: number[];

  constructor(startsPerSecond: number | undefined, starts: readonly number[] = []) {
    const count = Math.max(1, Math.floor(startsPerSecond ?? 1));
    this.#limit = startsPerSecond === undefined ? undefined : { count, spanMs: (count * SECOND_MS) / startsPerSecond };
    this.#starts = [...starts];
  }

  /** The earliest time of the next start. */
  nextAtMs(): number {
    if (this.#limit === undefined) return 0;
    const { count, spanMs } = this.#limit;
    const oldest = this.#starts.at(-count);
    return oldest === undefined ? 0 : Math.ceil(oldest + spanMs);
  }

  started(nowMs: number): void {
    if (this.#limit !== undefined) this.#starts = [...this.#starts, nowMs].slice(-this.#limit.count);
  }

  toJSON(): number[] {
    return [...this.#starts];
  }
}
