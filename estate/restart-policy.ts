// Decides when a process that ended is started again, and how much of it is shown. Pure: the
// caller passes a monotonic time.

export interface RestartLimits {
  /** Pause before the second restart in a row, ms; doubles with each death. The first has none. */
  readonly firstPauseMs: number;
  /** Longest pause, ms: the longest that a user waits after removing the cause. */
  readonly pauseMsMax: number;
  /** A process that has served this long, ms, has recovered: its next death is the first again. */
  readonly servedMs: number;
}

export const RESTART_LIMITS: RestartLimits = { firstPauseMs: 1_000, pauseMsMax: 30_000, servedMs: 60_000 };

/** `full`: reason, meaning and advice. `line`: that it happened again. `none`: no message. */
export type MessageDetail = 'full' | 'line' | 'none';

export interface Restart {
  /** Deaths in a row including this one, without `servedMs` of service in between. */
  readonly deaths: number;
  /** Milliseconds until the restart. There is always a restart. */
  readonly pauseMs: number;
  readonly detail: MessageDetail;
}

/** The restarts of one process. */
export class RestartPolicy {
  readonly #limits: RestartLimits;
  #deaths = 0;
  #servesSinceMs: number | undefined;
  #lastReason: string | undefined;

  constructor(limits: RestartLimits = RESTART_LIMITS) {
    this.#limits = limits;
  }

  /** Notes that the process serves from now on. */
  serves(nowMs: number): void {
    this.#servesSinceMs = nowMs;
  }

  /** Notes a death and decides the restart. @param reason a new reason is shown in full */
  died(nowMs: number, reason: string): Restart {
    const servedMs = this.#servesSinceMs === undefined ? 0 : nowMs - this.#servesSinceMs;
    this.#servesSinceMs = undefined;
    if (servedMs >= this.#limits.servedMs) this.#deaths = 0;
    this.#deaths += 1;
    const pauseMs = this.#pauseMs(this.#deaths);
    const isNew = this.#deaths === 1 || reason !== this.#lastReason;
    this.#lastReason = reason;
    return { deaths: this.#deaths, pauseMs, detail: isNew ? 'full' : this.#detailOfRepeat(pauseMs) };
  }

  #pauseMs(deaths: number): number {
    if (deaths === 1) return 0;
    return Math.min(this.#limits.pauseMsMax, this.#limits.firstPauseMs * 2 ** (deaths - 2));
  }

  /**
   * One line per death until the pause reaches its limit, then only at 8, 16, 32 … deaths: a
   * night's crash loop is some ten lines.
   */
  #detailOfRepeat(pauseMs: number): MessageDetail {
    if (pauseMs < this.#limits.pauseMsMax) return 'line';
    return Number.isInteger(Math.log2(this.#deaths)) ? 'line' : 'none';
  }
}
