// A clock for tests. A test lets time pass, and shifts its wall time, as a time service or an
// administrator would.
import type { Clock } from '../../control/clock/clock.js';
import { ProcessClock } from '../../control/clock/process-clock.js';

export class SettableClock implements Clock {
  #monotonicMs = 0;
  #wallMs: number;

  constructor(wallMs: number) {
    this.#wallMs = wallMs;
  }

  monotonicMs(): number {
    return Math.floor(this.#monotonicMs);
  }

  wallMs(): number {
    return Math.floor(this.#wallMs);
  }

  /** Both clocks go on. */
  pass(ms: number): void {
    this.#monotonicMs += ms;
    this.#wallMs += ms;
  }

  /** Moves the wall clock alone, forward or back. */
  shift(byMs: number): void {
    this.#wallMs += byMs;
  }

  /**
   * A new process: its monotonic clock begins anew, and the wall clock went on while nobody lived.
   */
  restart(downMs: number): void {
    this.#monotonicMs = 0;
    this.#wallMs += downMs;
  }
}

/** A process's clock for tests in which time is not the matter: it stands still. */
export function standingClock(): ProcessClock {
  return new ProcessClock({
    process: 'a test',
    log: { warn: () => undefined, info: () => undefined },
    clock: new SettableClock(0),
  });
}
