// The two clocks of a process. Durations use the monotonic one; the wall clock only labels.
import type { ClockDoubt } from '../../contracts/clock.js';

export interface Clock {
  /**
   * Whole milliseconds since an arbitrary moment. It is never set and never goes back; it stops
   * only while the machine sleeps.
   */
  monotonicMs(): number;
  /**
   * Whole milliseconds since 1970-01-01 UTC by the system's clock, which may jump either way at any
   * time.
   */
  wallMs(): number;
}

/** Both clocks at one instant. */
export interface Reading {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

/** A reading, and why its wall time may be wrong. */
export interface Moment extends Reading {
  readonly doubt?: ClockDoubt | undefined;
}

export const systemClock: Clock = {
  monotonicMs: () => Math.floor(performance.now()),
  wallMs: () => Date.now(),
};
