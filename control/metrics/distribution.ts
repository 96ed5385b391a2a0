// A histogram for paths that a guest waits on: counting one value costs some nanoseconds, since
// nothing is looked up by labels.

export class Distribution {
  readonly #bounds: Float64Array;
  /** How many values fell into each bucket; the last one has what is above all bounds. */
  readonly #counts: Float64Array;
  #sum = 0;

  /** @param bounds upper bounds of the buckets, ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = Float64Array.from(bounds);
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    // Most values are small, so they are found at once.
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
  }

  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** How many values are not above each bound, and at the end how many there are. */
  get cumulative(): readonly (readonly [le: number, count: number])[] {
    let count = 0;
    return [...this.#counts].map((counted, i) => {
      count += counted;
      return [this.#bounds[i] ?? Number.POSITIVE_INFINITY, count] as const;
    });
  }
}
