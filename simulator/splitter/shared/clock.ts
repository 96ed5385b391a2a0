// The splitter's two clocks: wall time labels writes, cuts and holes; whatever lasts (leases,
// holds, waits) is measured monotonically.
import { systemClock } from '../../../control/clock/clock.js';

/** Wall time, for labels only: taken anew each time, and as wrong as the host's clock is now. */
export function nowMs(): number {
  return systemClock.wallMs();
}

/** For durations: milliseconds since any moment, never set, never back within a process's life. */
export function monotonicMs(): number {
  return systemClock.monotonicMs();
}
