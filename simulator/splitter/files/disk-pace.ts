// Whether a volume's disk answers at once. After a slow call, its calls go to the thread pool for a
// while, one at a time: the process has one main thread, and a slow disk must not make other
// volumes' guests wait.
import { monotonicMs } from '../shared/clock.js';

/**
 * Duration from which a call counts as slow, in milliseconds. The page cache takes microseconds, a
 * busy disk some 10 ms.
 */
const SLOW_CALL_MS = 50;
/**
 * How long a slow disk stays off the main thread, in milliseconds: at worst one call in this time
 * stalls it.
 */
const SLOW_FOR_MS = 5_000;

export class DiskPace {
  readonly #clock: () => number;
  /** End of the slow time, by the monotonic clock; undefined while the disk is quick. */
  #slowUntilMs: number | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(clock: () => number = monotonicMs) {
    this.#clock = clock;
  }

  /** Whether the disk may be called on the main thread. */
  get isQuick(): boolean {
    if (this.#slowUntilMs === undefined) return true;
    if (this.#clock() < this.#slowUntilMs) return false;
    this.#slowUntilMs = undefined;
    return true;
  }

  /** Runs a call on the main thread, and times it. */
  now<T>(call: () => T): T {
    const beganMs = this.#clock();
    try {
      return call();
    } finally {
      const endedMs = this.#clock();
      if (endedMs - beganMs >= SLOW_CALL_MS) this.#slowUntilMs = endedMs + SLOW_FOR_MS;
    }
  }

  /**
   * Runs a call in the thread pool. A slow disk's calls run one after another, so that the pool's
   * other threads stay free.
   */
  async later<T>(call: () => Promise<T>): Promise<T> {
    if (this.isQuick) return call();
    const turn = this.#last.then(call, call);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
