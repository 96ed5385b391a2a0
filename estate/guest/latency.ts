// Latencies of many writes in little memory: counts in buckets 3 % wide, and the exact worst.

/** Buckets per factor of two: each is 2^(1/24), about 3 %, wider than the one before. */
const BUCKETS_PER_OCTAVE = 24;
/** Lower edge of the first bucket, ms: a system call takes longer. It has shorter times too. */
const FLOOR_MS = 0.001;

export interface LatencySummary {
  readonly count: number;
  /** Milliseconds, as are the next two; 0 without writes. Accurate to 3 %; the worst is exact. */
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly worstMs: number;
}

export class LatencyHistogram {
  readonly #counts: number[] = [];
  #count = 0;
  #worstMs = 0;

  record(ms: number): void {
    const bucket = Math.max(0, Math.floor(Math.log2(Math.max(ms, FLOOR_MS) / FLOOR_MS) * BUCKETS_PER_OCTAVE));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
    if (ms > this.#worstMs) this.#worstMs = ms;
  }

  /** The upper edge, ms, of the bucket that holds this share (0 to 1) of all latencies. */
  quantileMs(share: number): number {
    const rank = Math.ceil(share * this.#count);
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      // Unused buckets are holes in the array.
      seen += count ?? 0;
      if (rank > 0 && seen >= rank) return Math.min(FLOOR_MS * 2 ** ((bucket + 1) / BUCKETS_PER_OCTAVE), this.#worstMs);
    }
    return 0;
  }

  summary(): LatencySummary {
    return {
      count: this.#count,
      medianMs: this.quantileMs(0.5),
      p99Ms: this.quantileMs(0.99),
      worstMs: this.#worstMs,
    };
  }
}
