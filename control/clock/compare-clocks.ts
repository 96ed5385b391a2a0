// Compares the wall clocks of the estate's processes with this one's, using calls that are made
// anyway. A skew makes the times in the history wrong.
import {
  type ClockSkew,
  type ClockView,
  CLOCK_SKEW_MS_MAX,
  doubtSentence,
  isSkewed,
  skewSentence,
} from '../../contracts/clock.js';

const HERE = 'this process';

/** When a call was made. */
export type Asked = Readonly<Record<'monotonicMs' | 'wallMs', number>>;

export class ClockComparison {
  readonly #warnings = new Map<string, string>();

  ask(): Asked {
    return { monotonicMs: performance.now(), wallMs: Date.now() };
  }

  /**
   * Notes an answer. @param clock the process's clock in its answer; another vendor's may have none
   */
  answered(process: string, asked: Asked, clock: ClockView | undefined): void {
    if (clock === undefined) return;
    if (clock.doubt !== undefined) this.#warnings.set(`${process} doubt`, doubtSentence(clock.doubt));
    const tookMs = performance.now() - asked.monotonicMs;
    // A slow answer says little about the clock.
    if (tookMs > CLOCK_SKEW_MS_MAX) return;
    const skew = { process, aheadMs: Math.round(clock.wallMs - (asked.wallMs + tookMs / 2)) };
    if (isSkewed(skew)) this.#warnings.set(process, skewSentence(skew, HERE));
  }

  /** Notes the skews that another process found. */
  seenBy(process: string, skews: readonly ClockSkew[]): void {
    for (const skew of skews.filter(isSkewed))
      if (!this.#warnings.has(skew.process)) this.#warnings.set(skew.process, skewSentence(skew, process));
  }

  /** Sentences, one for each clock that is skewed or in doubt. */
  get warnings(): string[] {
    return [...this.#warnings.values()];
  }
}
