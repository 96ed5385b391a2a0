// The clock that counts ages. It survives restarts, never goes back, never stops, and does not
// follow jumps of the wall clock.
import type { Reading } from './clock.js';

/**
 * A time on the wall clock's scale. While the process lives it advances by monotonic time. Only the
 * wall clock knows how long the process was down; it is believed once it has agreed with monotonic
 * time for long enough in this life. So a forward jump that is corrected in time ages nothing, a
 * backward jump stops nothing, and a month of downtime counts some time after the start.
 */
export class AgeClock {
  #ageMs: number;
  #advancedAtMs: number;

  /** @param storedMs its last value in an earlier life; without one it starts at the wall clock. */
  constructor(storedMs: number | undefined, { monotonicMs, wallMs }: Reading) {
    this.#ageMs = storedMs ?? wallMs;
    this.#advancedAtMs = monotonicMs;
  }

  /** The age in whole milliseconds; never less than before. */
  get ageMs(): number {
    return Math.floor(this.#ageMs);
  }

  /**
   * Advances to the reading.
   * @param isAgreed whether its wall time has agreed with monotonic time for long enough
   */
  advance({ monotonicMs, wallMs }: Reading, isAgreed: boolean): number {
    this.#ageMs += Math.max(0, monotonicMs - this.#advancedAtMs);
    this.#advancedAtMs = Math.max(this.#advancedAtMs, monotonicMs);
    if (isAgreed) this.#ageMs = Math.max(this.#ageMs, wallMs);
    return this.ageMs;
  }
}
