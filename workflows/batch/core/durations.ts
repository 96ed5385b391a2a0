// How long the moves of a batch take: counts by rungs of a ladder, so that it stays small however
// many there are.

/** Each rung is a quarter above the one before: an estimate is at most so much too long. */
const RUNG_GROWTH = 1.25;
/** A day: no move is expected to last longer. */
const DURATION_MS_MAX = 24 * 3_600_000;
/** Of a hundred moves this many last no longer than what is expected of the next one. */
const EXPECTED_PERCENT = 95;
/** Below so many ended moves the expectation given beforehand counts too. */
const MEASURED_MIN = 5;

/** Whole milliseconds, the same on every machine. */
const RUNGS: readonly number[] = ladder();

function ladder(): number[] {
  const rungs = [1];
  for (let rung = 1; rung < DURATION_MS_MAX; rung = Math.ceil(rung * RUNG_GROWTH))
    rungs.push(Math.ceil(rung * RUNG_GROWTH));
  return rungs;
}

export class Durations {
  readonly #counts = new Map<number, number>();
  #measured = 0;

  static from(counts: readonly (readonly [number, number])[]): Durations {
    const durations = new Durations();
    for (const [rung, count] of counts) {
      durations.#counts.set(rung, count);
      durations.#measured += count;
    }
    return durations;
  }

  add(tookMs: number): void {
    const found = RUNGS.findIndex((rungMs) => tookMs <= rungMs);
    const rung = found < 0 ? RUNGS.length - 1 : found;
    this.#counts.set(rung, (this.#counts.get(rung) ?? 0) + 1);
    this.#measured += 1;
  }

  /**
   * How long the next move is taken to last, ms.
   * @param beforehandMs what counts while nearly nothing is known
   */
  expectedMs(beforehandMs: number): number {
    const measuredMs = this.#quantileMs();
    if (measuredMs === undefined) return beforehandMs;
    return this.#measured < MEASURED_MIN ? Math.max(beforehandMs, measuredMs) : measuredMs;
  }

  #quantileMs(): number | undefined {
    let left = Math.ceil((this.#measured * EXPECTED_PERCENT) / 100);
    if (left === 0) return undefined;
    for (const [rung, rungMs] of RUNGS.entries()) {
      left -= this.#counts.get(rung) ?? 0;
      if (left <= 0) return rungMs;
    }
    return DURATION_MS_MAX;
  }

  toJSON(): [number, number][] {
    return [...this.#counts].sort(([a], [b]) => a - b);
  }
}
