// How far the clocks of the replica site and the splitters differ from the appliance's own,
// measured on calls that are made anyway.
import { type ClockSkew, CLOCK_SKEW_MS_MAX, isSkewed, skewSentence } from '../../contracts/clock.js';
import type { ProcessClock } from '../../control/clock/process-clock.js';

/** Most processes remembered: one site, and more hosts than an appliance serves. */
const PROCESSES_MAX = 10_000;
/** How long a comparison counts, ms: an older one's process is gone or no longer called. */
const KEPT_MS = 10 * 60_000;

interface TimedSkew extends ClockSkew {
  readonly atMs: number;
}

/** The time of a call, by both clocks. */
export type Asked = Readonly<Record<'monotonicMs' | 'wallMs', number>>;

export class ClockSkews {
  readonly #clock: Pick<ProcessClock, 'now' | 'monotonicMs'>;
  readonly #name: string;
  readonly #skews = new Map<string, TimedSkew>();

  /** @param name the appliance's name in sentences */
  constructor(name: string, clock: Pick<ProcessClock, 'now' | 'monotonicMs'>) {
    this.#name = name;
    this.#clock = clock;
  }

  ask(): Asked {
    return this.#clock.now();
  }

  /**
   * Takes the wall time of a process's answer. The process may have read its clock at any instant
   * between the call and the answer, so an answer that took longer than the tolerated skew is
   * ignored.
   */
  answered(process: string, asked: Asked, wallMs: number): void {
    const now = this.#clock.now();
    const tookMs = now.monotonicMs - asked.monotonicMs;
    if (tookMs > CLOCK_SKEW_MS_MAX) return;
    // Computed from the monotonic clock: the appliance's own wall clock may have jumped in between.
    const aheadMs = Math.round(wallMs - (now.wallMs - tookMs / 2));
    this.#skews.delete(process);
    this.#skews.set(process, { process, aheadMs, atMs: now.monotonicMs });
    const [oldest] = this.#skews.keys();
    if (oldest !== undefined && this.#skews.size > PROCESSES_MAX) this.#skews.delete(oldest);
  }

  /** The skew of every process compared within `KEPT_MS`. */
  get all(): ClockSkew[] {
    const sinceMs = this.#clock.monotonicMs - KEPT_MS;
    return [...this.#skews.values()]
      .filter(({ atMs }) => atMs >= sinceMs)
      .map(({ process, aheadMs }) => ({ process, aheadMs }));
  }

  /** A sentence for each clock that is too far off. */
  get notes(): string[] {
    return this.all.filter(isSkewed).map((skew) => skewSentence(skew, this.#name));
  }
}
