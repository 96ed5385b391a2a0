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

/** Steps between two turns of the event loop: its other users wait a few milliseconds at most. */
const STEPS_PER_TURN = 1_000;

interface Timer {
  readonly atMs: number;
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
  /** The next timer is the last one here. Of those due at one instant the first made runs first. */
  readonly #timers: Timer[] = [];

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

  after(ms: number, run: () => void): Timer {
    return this.#at(this.#nowMs + Math.max(0, ms), run);
  }

  /**
   * Runs after a delay, and never before its line's earlier entries: a line keeps its order.
   * @returns when it runs
   */
  inLine(lastMs: number, delayMs: number, run: () => void): number {
    return this.#at(Math.max(lastMs, this.#nowMs + delayMs), run).atMs;
  }

  #at(atMs: number, run: () => void): Timer {
    const timer = { atMs, run };
    const timers = this.#timers;
    let at = timers.push(timer) - 1;
    // Most timers are due soon: few stand behind their place.
    for (; at > 0; at -= 1) {
      const sooner = timers[at - 1];
      if (sooner === undefined || sooner.atMs > timer.atMs) break;
      timers[at] = sooner;
    }
    timers[at] = timer;
    return timer;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** What the work gives; undefined if that takes longer. */
  async within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
    return await new Promise((resolve, reject) => {
      const limit = this.after(ms, () => resolve(undefined));
      work.then(resolve, reject).finally(() => this.#drop(limit));
    });
  }

  #drop(timer: Timer): void {
    const at = this.#timers.indexOf(timer);
    if (at >= 0) this.#timers.splice(at, 1);
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
    for (let steps = 1; !done(); steps += 1) {
      await (steps % STEPS_PER_TURN === 0 ? turned() : settled());
      this.onStep?.();
      if (done()) return true;
      const timer = this.#timers.at(-1);
      if (timer === undefined || timer.atMs > endMs) {
        this.#nowMs = endMs;
        return done();
      }
      this.#timers.pop();
      this.#nowMs = timer.atMs;
      timer.run();
    }
    return true;
  }
}

/**
 * Lets every promise settle that can: Node.js empties the queue of microtasks before it runs the
 * next tick. A turn of the event loop would do as well, and take ten times as long.
 */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(resolve);
  });
}

/** Lets the process's own timers and messages have a turn, too. */
function turned(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
