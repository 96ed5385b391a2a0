// How far the clocks of the replica site and of the splitters are from the appliance's own, as seen
// on calls that are made anyway.
import { type ClockSkew, CLOCK_SKEW_MS_MAX, isSkewed, skewSentence } from '../../contracts/clock.js';
import type { ProcessClock } from '../../control/clock/process-clock.js';

/** Processes that are remembered: a site, and more hosts than an appliance serves. */
const PROCESSES_MAX = 10_000;
/**
 * A comparison is forgotten after so long, milliseconds: the process is gone, or is not asked any
 * more.
 */
const KEPT_MS = 10 * 60_000;

interface Seen extends ClockSkew {
  readonly atMs: number;
}

/** When a call was made, by both clocks. */
export type Asked = Readonly<Record<'monotonicMs' | 'wallMs', number>>;

export class ClockSkews {
  readonly #clock: Pick<ProcessClock, 'now' | 'monotonicMs'>;
  readonly #name: string;
  readonly #seen = new Map<string, Seen>();

  /** @param name of the appliance, for sentences */
  constructor(name: string, clock: Pick<ProcessClock, 'now' | 'monotonicMs'>) {
    this.#name = name;
    this.#clock = clock;
  }

  ask(): Asked {
    return this.#clock.now();
  }

  /**
   * A process told its wall time in an answer. Between the call and the answer any instant may be
   * meant, so a slow answer says little: only what no instant in between can explain counts.
   */
  answered(process: string, asked: Asked, wallMs: number): void {
    const now = this.#clock.now();
    const tookMs = now.monotonicMs - asked.monotonicMs;
    if (tookMs > CLOCK_SKEW_MS_MAX) return;
    // From the monotonic clock: the appliance's own wall clock may have jumped in between.
    const aheadMs = Math.round(wallMs - (now.wallMs - tookMs / 2));
    this.#seen.delete(process);
    this.#seen.set(process, { process, aheadMs, atMs: now.monotonicMs });
    const [oldest] = this.#seen.keys();
    if (oldest !== undefined && this.#seen.size > PROCESSES_MAX) this.#seen.delete(oldest);
  }

  /** Every process that was compared lately. */
  get all(): ClockSkew[] {
    const sinceMs = this.#clock.monotonicMs - KEPT_MS;
    return [...this.#seen.values()]
      .filter(({ atMs }) => atMs >= sinceMs)
      .map(({ process, aheadMs }) => ({ process, aheadMs }));
  }

  /** A sentence for each clock that is too far away. */
  get notes(): string[] {
    return this.all.filter(isSkewed).map((skew) => skewSentence(skew, this.#name));
  }
}
