// When a process that ended is started again, and how much is said about it. Pure: the caller
// brings a monotonic time.

export interface RestartLimits {
  /**
   * Pause before the second try in a row, ms; it doubles with each further death. The first try
   * comes at once.
   */
  readonly firstPauseMs: number;
  /** Longest pause, ms: what a user waits at most after having mended the cause. */
  readonly pauseMsMax: number;
  /** A process that served so long, ms, has recovered: its next death is a first one again. */
  readonly servedMs: number;
}

export const RESTART_LIMITS: RestartLimits = { firstPauseMs: 1_000, pauseMsMax: 30_000, servedMs: 60_000 };

/** `whole`: reason, meaning and advice. `line`: that it happened again. `nothing`: it is known. */
export type Telling = 'whole' | 'line' | 'nothing';

export interface Restart {
  /** Deaths in a row, this one included: those between which it never served for long. */
  readonly deaths: number;
  /** Until the next try, ms. There always is one. */
  readonly pauseMs: number;
  readonly telling: Telling;
}

/** The restarts of one process. */
export class RestartPolicy {
  readonly #limits: RestartLimits;
  #deaths = 0;
  #servesSinceMs: number | undefined;
  #toldReason: string | undefined;

  constructor(limits: RestartLimits = RESTART_LIMITS) {
    this.#limits = limits;
  }

  /** It serves, since now. */
  serves(nowMs: number): void {
    this.#servesSinceMs = nowMs;
  }

  /** @param reason what is compared to tell whether anything changed */
  died(nowMs: number, reason: string): Restart {
    const servedMs = this.#servesSinceMs === undefined ? 0 : nowMs - this.#servesSinceMs;
    this.#servesSinceMs = undefined;
    if (servedMs >= this.#limits.servedMs) this.#deaths = 0;
    this.#deaths += 1;
    const pauseMs = this.#pauseMs(this.#deaths);
    const isNew = this.#deaths === 1 || reason !== this.#toldReason;
    this.#toldReason = reason;
    return { deaths: this.#deaths, pauseMs, telling: isNew ? 'whole' : this.#againTelling(pauseMs) };
  }

  #pauseMs(deaths: number): number {
    if (deaths === 1) return 0;
    return Math.min(this.#limits.pauseMsMax, this.#limits.firstPauseMs * 2 ** (deaths - 2));
  }

  /**
   * Once the pause grows no more, a line at 8, 16, 32 … deaths: a crash loop of a night is some ten
   * lines.
   */
  #againTelling(pauseMs: number): Telling {
    if (pauseMs < this.#limits.pauseMsMax) return 'line';
    return Number.isInteger(Math.log2(this.#deaths)) ? 'line' : 'nothing';
  }
}
