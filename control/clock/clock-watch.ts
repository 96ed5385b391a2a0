// Notices when the wall clock goes another way than monotonic time says, and doubts it until both
// have agreed for a while.
import { type ClockDoubt, CLOCK_AGREES_AFTER_MS_DEFAULT } from '../../contracts/clock.js';
import type { Clock, Moment } from './clock.js';

/**
 * What the two clocks may differ by from one look to the next, milliseconds: a process may be kept
 * waiting between two readings.
 */
const TOLERANCE_MS = 1_000;
/**
 * What they may drift apart by in the long run, a share of the time that passed. A time service
 * slews both clocks alike, so this only has to cover rounding; it is small so that many small steps
 * are noticed as one large one.
 */
const DRIFT_SHARE = 0.001;

export interface ClockWatchOptions {
  readonly clock: Clock;
  /** Whose clock it is, for sentences. */
  readonly process: string;
  /** How long the clocks must agree after a jump before there is no doubt any more. */
  readonly agreesAfterMs?: number | undefined;
  /** Called once for each jump. */
  readonly onJump?: ((doubt: ClockDoubt) => void) | undefined;
  /** Called when the doubt is over. */
  readonly onAgreed?: (() => void) | undefined;
}

export class ClockWatch {
  readonly agreesAfterMs: number;
  readonly #options: ClockWatchOptions;
  /** Wall minus monotonic time, as it ought to be. */
  #offsetMs: number;
  #lookedAtMs: number;
  #lookedWallMs: number;
  /** Since when, by the monotonic clock, the two have agreed. */
  #agreesSinceMs: number;
  #doubt: ClockDoubt | undefined;

  constructor(options: ClockWatchOptions) {
    const { clock, agreesAfterMs = CLOCK_AGREES_AFTER_MS_DEFAULT } = options;
    this.#options = options;
    this.agreesAfterMs = agreesAfterMs;
    this.#lookedAtMs = clock.monotonicMs();
    this.#lookedWallMs = clock.wallMs();
    this.#offsetMs = this.#lookedWallMs - this.#lookedAtMs;
    this.#agreesSinceMs = this.#lookedAtMs;
  }

  /** Reads both clocks. A jump is noticed by the very reading that is the first to have it. */
  read(): Moment {
    const { clock } = this.#options;
    const monotonicMs = clock.monotonicMs();
    const wallMs = clock.wallMs();
    const driftMs = DRIFT_SHARE * (monotonicMs - this.#lookedAtMs);
    const awayMs = wallMs - monotonicMs - this.#offsetMs;
    if (Math.abs(awayMs) > TOLERANCE_MS + driftMs) this.#jumped(awayMs, monotonicMs, wallMs - monotonicMs);
    else this.#offsetMs += Math.max(-driftMs, Math.min(driftMs, awayMs));
    this.#lookedAtMs = monotonicMs;
    this.#lookedWallMs = wallMs;
    if (this.#doubt !== undefined && monotonicMs - this.#agreesSinceMs >= this.agreesAfterMs) {
      this.#doubt = undefined;
      this.#options.onAgreed?.();
    }
    return { monotonicMs, wallMs, doubt: this.#doubt };
  }

  /**
   * For how long, as of the last reading, the clocks have agreed: in this process's life, and since
   * the last jump.
   */
  get agreedForMs(): number {
    return this.#lookedAtMs - this.#agreesSinceMs;
  }

  /** Whether they have agreed for long enough. */
  get isAgreed(): boolean {
    return this.agreedForMs >= this.agreesAfterMs;
  }

  /**
   * Somebody knows that the clock jumped while nobody looked.
   * @param jumpMs by how much,
   * @param beforeMs what it said before
   */
  suspect(jumpMs: number, beforeMs: number): void {
    const { process, onJump } = this.#options;
    this.#agreesSinceMs = this.#lookedAtMs;
    const jumps = (this.#doubt?.jumps ?? 0) + 1;
    this.#doubt = { process, jumpMs: Math.round(jumpMs), sinceMs: this.#doubt?.sinceMs ?? Math.round(beforeMs), jumps };
    onJump?.(this.#doubt);
  }

  #jumped(awayMs: number, monotonicMs: number, offsetMs: number): void {
    const beforeMs = this.#lookedWallMs;
    this.#offsetMs = offsetMs;
    this.#lookedAtMs = monotonicMs;
    this.suspect(awayMs, beforeMs);
  }
}
