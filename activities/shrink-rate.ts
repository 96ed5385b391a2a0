// How fast the bytes left become fewer, for an estimate of the time that a flush still takes.

/** Time over which the rate is taken, ms: long beside a burst of writes, short beside a wait. */
const WINDOW_MS = 10_000;

interface Sample {
  readonly atMs: number;
  readonly bytesLeft: number;
}

export class ShrinkRate {
  #samples: Sample[] = [];

  /**
   * Takes a sample. @returns bytes/s over the last 10 s; undefined when they did not become fewer
   * @param atMs by a clock that is never set
   */
  sample(bytesLeft: number, atMs: number): number | undefined {
    // The oldest kept sample is the last one before the window, so that the window is whole.
    const inWindow = this.#samples.findIndex((sample) => sample.atMs > atMs - WINDOW_MS);
    this.#samples = [...this.#samples.slice(inWindow < 0 ? -1 : Math.max(0, inWindow - 1)), { atMs, bytesLeft }];
    const [first] = this.#samples;
    if (first === undefined || first.bytesLeft <= bytesLeft || first.atMs >= atMs) return undefined;
    return ((first.bytesLeft - bytesLeft) * 1_000) / (atMs - first.atMs);
  }
}
