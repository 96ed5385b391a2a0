// The splitter's two clocks: wall time labels writes, cuts and holes; the monotonic clock measures
// durations (leases, holds, waits).
import { systemClock } from '../../../control/clock/clock.js';

/** Wall time, for labels only: read anew each time, and as wrong as the host's clock. */
export function nowMs(): number {
  return systemClock.wallMs();
}

/**
 * Monotonic milliseconds since any moment, for durations: never set, never back in a process's
 * life.
 */
export function monotonicMs(): number {
  return systemClock.monotonicMs();
}
