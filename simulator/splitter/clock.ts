// The splitter's clock: wall-clock milliseconds that never jump, so that a step of the system's clock can't stretch a hold or a lease.

/** Milliseconds since 1970-01-01 UTC, whole, never decreasing within a process's life. */
export function nowMs(): number {
  return Math.floor(performance.timeOrigin + performance.now());
}
