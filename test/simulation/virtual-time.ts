// Virtual time and seeded chance: the whole system in one process, where a seed decides every delay
// and every fault.

/** A small seeded generator (mulberry32): the same seed gives the same run on every machine. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** The next number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  between(from: number, to: number): number {
    return from + this.next() * (to - from);
  }

  hit(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
}

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Both clocks of a simulated process, and the clock for ages. */
export interface VirtualMoment {
  readonly monotonicMs: number;
  readonly wallMs: number;
  readonly ageMs: number;
}

export class VirtualTime {
  /**
   * Offset of a process's wall clock from true time, in ms, by process id; 0 unless set. A change
   * is a jump of that clock.
   */
  readonly wallShiftsMs = new Map<string, number>();
  /** Called after each timer, once the promises it settled are. */
  onStep: (() => void) | undefined;
  readonly #origins = new Map<string, number>();
  #nowMs = 1_000_000;
  #order = 0;
  #timers: Timer[] = [];

  get nowMs(): number {
    return Math.floor(this.#nowMs);
  }

  /** A process's wall time. */
  wallMsOf(process: string): number {
    return this.nowMs + (this.wallShiftsMs.get(process) ?? 0);
  }

  /** A process's monotonic time: it means nothing in another process, or in another life. */
  monotonicMsOf(process: string): number {
    return this.nowMs + (this.#origins.get(process) ?? 0);
  }

  /** Starts a process's monotonic clock anew. */
  startClock(process: string, originMs: number): void {
    this.#origins.set(process, originMs);
  }

  momentOf(process: string): VirtualMoment {
    return { monotonicMs: this.monotonicMsOf(process), wallMs: this.wallMsOf(process), ageMs: this.nowMs };
  }

  after(ms: number, run: () => void): void {
    const timer = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order, run };
    this.#order += 1;
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#timers[middle];
      if (other !== undefined && (other.atMs < timer.atMs || (other.atMs === timer.atMs && other.order < timer.order)))
        low = middle + 1;
      else high = middle;
    }
    this.#timers.splice(low, 0, timer);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Like runUntil, for an expensive condition: it is checked now and then only. */
  async runUntilAsked(done: () => boolean, everyMs: number, limitMs: number): Promise<boolean> {
    for (let leftMs = limitMs; leftMs > 0; leftMs -= everyMs) {
      if (done()) return true;
      await this.runUntil(() => false, everyMs);
    }
    return done();
  }

  /**
   * Runs timers, and the promises they settle, until `done` or until `limitMs` of virtual time have
   * passed.
   */
  async runUntil(done: () => boolean, limitMs: number): Promise<boolean> {
    const endMs = this.#nowMs + limitMs;
    while (!done()) {
      await settled();
      this.onStep?.();
      if (done()) return true;
      const timer = this.#timers[0];
      if (timer === undefined || timer.atMs > endMs) {
        this.#nowMs = endMs;
        return done();
      }
      this.#timers.shift();
      this.#nowMs = timer.atMs;
      timer.run();
    }
    return true;
  }
}

/** Lets every promise settle that can: a macrotask runs after all microtasks. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
