// Compares the wall clocks of the estate's processes with this one's, on calls that are made
// anyway: a skew makes the times of the history wrong.
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

  /** @param clock as the process told it in its answer; absent from one of another vendor */
  answered(process: string, asked: Asked, clock: ClockView | undefined): void {
    if (clock === undefined) return;
    if (clock.doubt !== undefined) this.#warnings.set(`${process} doubt`, doubtSentence(clock.doubt));
    const tookMs = performance.now() - asked.monotonicMs;
    // A slow answer says little of the clock.
    if (tookMs > CLOCK_SKEW_MS_MAX) return;
    const skew = { process, aheadMs: Math.round(clock.wallMs - (asked.wallMs + tookMs / 2)) };
    if (isSkewed(skew)) this.#warnings.set(process, skewSentence(skew, HERE));
  }

  /** Notes what another process found when it compared its own clock. */
  seenBy(process: string, skews: readonly ClockSkew[]): void {
    for (const skew of skews.filter(isSkewed))
      if (!this.#warnings.has(skew.process)) this.#warnings.set(skew.process, skewSentence(skew, process));
  }

  /** Sentences, one for each clock that is too far away or in doubt. */
  get warnings(): string[] {
    return [...this.#warnings.values()];
  }
}
