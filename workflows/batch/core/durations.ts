// A histogram of the moves' durations in exponential buckets. Its size does not grow with the
// number of moves.

/** Ratio between neighbouring buckets: an estimate is at most 25 % too long. */
const BUCKET_GROWTH = 1.25;
/**
 * The histogram ends with the first bound that is at least so long: 27 h. A longer move counts as
 * that long.
 */
const LAST_BOUND_MS_MIN = 24 * 3_600_000;
/** Percentile of past durations that estimates the next move. */
const EXPECTED_PERCENT = 95;
/** Ended moves below which the configured expectation counts too. */
const MEASURED_MIN = 5;

/** Upper bounds of the buckets in whole milliseconds, the same on every machine. */
const BUCKET_BOUNDS_MS: readonly number[] = bucketBounds();

function bucketBounds(): number[] {
  const bounds = [1];
  for (let bound = 1; bound < LAST_BOUND_MS_MIN; bound = Math.ceil(bound * BUCKET_GROWTH))
    bounds.push(Math.ceil(bound * BUCKET_GROWTH));
  return bounds;
}

export class Durations {
  readonly #counts = new Map<number, number>();
  #measured = 0;

  static from(counts: readonly (readonly [number, number])[]): Durations {
    const durations = new Durations();
    for (const [bucket, count] of counts) {
      durations.#counts.set(bucket, count);
      durations.#measured += count;
    }
    return durations;
  }

  add(tookMs: number): void {
    const found = BUCKET_BOUNDS_MS.findIndex((boundMs) => tookMs <= boundMs);
    const bucket = found < 0 ? BUCKET_BOUNDS_MS.length - 1 : found;
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1);
    this.#measured += 1;
  }

  /**
   * Expected duration of the next move, ms.
   * @param beforehandMs the configured expectation, used while little is measured
   */
  expectedMs(beforehandMs: number): number {
    const measuredMs = this.#quantileMs();
    if (measuredMs === undefined) return beforehandMs;
    return this.#measured < MEASURED_MIN ? Math.max(beforehandMs, measuredMs) : measuredMs;
  }

  #quantileMs(): number | undefined {
    let left = Math.ceil((this.#measured * EXPECTED_PERCENT) / 100);
    if (left === 0) return undefined;
    for (const [bucket, boundMs] of BUCKET_BOUNDS_MS.entries()) {
      left -= this.#counts.get(bucket) ?? 0;
      if (left <= 0) return boundMs;
    }
    return undefined;
  }

  toJSON(): [number, number][] {
    return [...this.#counts].sort(([a], [b]) => a - b);
  }
}
