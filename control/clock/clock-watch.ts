// Detects when the wall clock and monotonic time diverge, and doubts the wall clock until both have
// agreed for a while.
import { type ClockDoubt, CLOCK_AGREES_AFTER_MS_DEFAULT } from '../../contracts/clock.js';
import type { Clock, Moment, Reading } from './clock.js';

/** Allowed difference between two readings, ms. */
const TOLERANCE_MS = 1_000;
/**
 * Longest time that reading both clocks may take, ms. A process that was suspended in between reads
 * them again: what it missed would look like a jump.
 */
const READ_MS_MAX = 100;
/** Readings until one is taken as it is. */
const READINGS_MAX = 10;
/**
 * Allowed long-term drift as a share of elapsed time. A time service slews both clocks alike, so
 * this only covers rounding. It is small so that many small steps are noticed as one large one.
 */
const DRIFT_SHARE = 0.001;

export interface ClockWatchOptions {
  readonly clock: Clock;
  /** The process whose clock it is, for sentences. */
  readonly process: string;
  /** How long the clocks must agree after a jump before the doubt ends. */
  readonly agreesAfterMs?: number | undefined;
  /** Called once for each jump. */
  readonly onJump?: ((doubt: ClockDoubt) => void) | undefined;
  /** Called when the doubt is over. */
  readonly onAgreed?: (() => void) | undefined;
}

export class ClockWatch {
  readonly agreesAfterMs: number;
  readonly #options: ClockWatchOptions;
  /** Expected difference of wall and monotonic time. */
  #offsetMs: number;
  #lastMonotonicMs: number;
  #lastWallMs: number;
  /** Monotonic time since which the two have agreed. */
  #agreesSinceMs: number;
  #doubt: ClockDoubt | undefined;

  constructor(options: ClockWatchOptions) {
    const { clock, agreesAfterMs = CLOCK_AGREES_AFTER_MS_DEFAULT } = options;
    this.#options = options;
    this.agreesAfterMs = agreesAfterMs;
    const first = readBoth(clock);
    this.#lastMonotonicMs = first.monotonicMs;
    this.#lastWallMs = first.wallMs;
    this.#offsetMs = this.#lastWallMs - this.#lastMonotonicMs;
    this.#agreesSinceMs = this.#lastMonotonicMs;
  }

  /** Reads both clocks. The first reading after a jump already detects it. */
  read(): Moment {
    const { monotonicMs, wallMs } = readBoth(this.#options.clock);
    const driftMs = DRIFT_SHARE * (monotonicMs - this.#lastMonotonicMs);
    const awayMs = wallMs - monotonicMs - this.#offsetMs;
    if (Math.abs(awayMs) > TOLERANCE_MS + driftMs) this.#jumped(awayMs, monotonicMs, wallMs - monotonicMs);
    else this.#offsetMs += Math.max(-driftMs, Math.min(driftMs, awayMs));
    this.#lastMonotonicMs = monotonicMs;
    this.#lastWallMs = wallMs;
    if (this.#doubt !== undefined && monotonicMs - this.#agreesSinceMs >= this.agreesAfterMs) {
      this.#doubt = undefined;
      this.#options.onAgreed?.();
    }
    return { monotonicMs, wallMs, doubt: this.#doubt };
  }

  /** How long the clocks have agreed at the last reading: in this life and since the last jump. */
  get agreedForMs(): number {
    return this.#lastMonotonicMs - this.#agreesSinceMs;
  }

  /** Whether they have agreed for long enough. */
  get isAgreed(): boolean {
    return this.agreedForMs >= this.agreesAfterMs;
  }

  /**
   * Reports a jump that happened between two readings.
   * @param jumpMs the size of the jump
   * @param beforeMs the wall clock before it
   */
  suspect(jumpMs: number, beforeMs: number): void {
    const { process, onJump } = this.#options;
    this.#agreesSinceMs = this.#lastMonotonicMs;
    const jumps = (this.#doubt?.jumps ?? 0) + 1;
    this.#doubt = { process, jumpMs: Math.round(jumpMs), sinceMs: this.#doubt?.sinceMs ?? Math.round(beforeMs), jumps };
    onJump?.(this.#doubt);
  }

  #jumped(awayMs: number, monotonicMs: number, offsetMs: number): void {
    const beforeMs = this.#lastWallMs;
    this.#offsetMs = offsetMs;
    this.#lastMonotonicMs = monotonicMs;
    this.suspect(awayMs, beforeMs);
  }
}

/** Reads both clocks at what is nearly one instant. */
function readBoth(clock: Clock): Reading {
  for (let readings = 1; ; readings += 1) {
    const monotonicMs = clock.monotonicMs();
    const wallMs = clock.wallMs();
    if (readings === READINGS_MAX || clock.monotonicMs() - monotonicMs <= READ_MS_MAX) return { monotonicMs, wallMs };
  }
}
