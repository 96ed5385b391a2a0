// The clock that ages are counted by: it outlives restarts, never goes back, never stops, and does
// not follow a jump of the wall clock.
import type { Reading } from './clock.js';

/**
 * A time on the wall clock's scale. While a process lives it goes on by monotonic time. What passed
 * while nobody lived, only the wall clock can say: it is believed once it has agreed with monotonic
 * time for long enough in this life. So a jump forward that is taken back meanwhile ages nothing, a
 * jump back stops nothing, and a month of downtime counts a while after the start.
 */
export class AgeClock {
  #ageMs: number;
  #lookedAtMs: number;

  /**
   * @param storedMs what it said last in an earlier life; undefined if there was none, then it
   * begins with the wall clock.
   */
  constructor(storedMs: number | undefined, { monotonicMs, wallMs }: Reading) {
    this.#ageMs = storedMs ?? wallMs;
    this.#lookedAtMs = monotonicMs;
  }

  /** Milliseconds; whole, and never less than before. */
  get ageMs(): number {
    return Math.floor(this.#ageMs);
  }

  /**
   * Goes on to the reading.
   * @param isAgreed whether its wall time has agreed with monotonic time for long enough
   */
  advance({ monotonicMs, wallMs }: Reading, isAgreed: boolean): number {
    this.#ageMs += Math.max(0, monotonicMs - this.#lookedAtMs);
    this.#lookedAtMs = Math.max(this.#lookedAtMs, monotonicMs);
    if (isAgreed) this.#ageMs = Math.max(this.#ageMs, wallMs);
    return this.ageMs;
  }
}
