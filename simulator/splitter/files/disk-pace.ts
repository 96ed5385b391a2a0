// Whether a volume's disk answers at once. One whose call took long gets the thread pool for a
// while, and one thread of it: the process has a single main thread, and a slow disk must not make
// the guests of all other volumes wait.
import { monotonicMs } from '../shared/clock.js';

/**
 * The page cache takes microseconds, a busy disk some 10 ms: a call of this many milliseconds is a
 * slow disk's.
 */
const SLOW_CALL_MS = 50;
/**
 * How long a slow disk is not asked on the main thread, in milliseconds: at worst it stalls one
 * call in so much time.
 */
const SLOW_FOR_MS = 5_000;

export class DiskPace {
  readonly #clock: () => number;
  /** By the monotonic clock; none while the disk is quick. */
  #slowUntilMs: number | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(clock: () => number = monotonicMs) {
    this.#clock = clock;
  }

  /** Whether the disk may be asked on the main thread. */
  get isQuick(): boolean {
    if (this.#slowUntilMs === undefined) return true;
    if (this.#clock() < this.#slowUntilMs) return false;
    this.#slowUntilMs = undefined;
    return true;
  }

  /** A call on the main thread. */
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
   * A call in the thread pool: of a slow disk, one after the other, so that the pool's other
   * threads stay free.
   */
  async later<T>(call: () => Promise<T>): Promise<T> {
    if (this.isQuick) return call();
    const turn = this.#last.then(call, call);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
