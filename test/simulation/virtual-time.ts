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

/** Ticks between two turns of the event loop: its other users wait a few milliseconds at most. */
const TICKS_PER_TURN = 1_000;

const NOW = Promise.resolve();

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
  readonly isQuiet: boolean;
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
  /** Whether a quiet timer settled a promise after all. */
  #isStirred = false;
  /** Whether quiet timers wait for promises like all others: slower, and the same run. */
  isNeverQuiet = false;

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
    return this.#add({ atMs: this.#nowMs + Math.max(0, ms), run, isQuiet: false });
  }

  /**
   * Runs after a delay something that settles no promise, or calls `stir` when it does. The next
   * timer need not wait for promises then, which takes as long as a small step itself.
   */
  quietly(ms: number, run: () => void): Timer {
    return this.#add({ atMs: this.#nowMs + Math.max(0, ms), run, isQuiet: true });
  }

  /** Says that a promise was settled: what waits for it runs before the next timer. */
  stir(): void {
    this.#isStirred = true;
  }

  /**
   * Runs quietly after a delay, and never before its line's earlier entries: a line keeps its
   * order.
   * @returns when it runs
   */
  inLine(lastMs: number, delayMs: number, run: () => void): number {
    return this.#add({ atMs: Math.max(lastMs, this.#nowMs + delayMs), run, isQuiet: true }).atMs;
  }

  #add(timer: Timer): Timer {
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

  /** Takes a timer back; it may have run. */
  cancel(timer: Timer): void {
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
  runUntil(done: () => boolean, limitMs: number): Promise<boolean> {
    const endMs = this.#nowMs + limitMs;
    return new Promise((resolve, reject) => {
      let turns = 0;
      const settled = (): void => {
        try {
          const isDone = this.#runSome(done, endMs);
          if (isDone === undefined) wait();
          else resolve(isDone);
        } catch (error) {
          reject(error instanceof Error ? error : new Error('a timer failed', { cause: error }));
        }
      };
      const tick = (): void => process.nextTick(settled);
      // Node.js empties the queue of microtasks before it runs a tick that one of them asked for:
      // every promise settles that can. A turn of the event loop would do as well, and take ten
      // times as long; now and then it lets the process's own timers and messages have a turn, too.
      const wait = (): void => {
        turns += 1;
        if (turns % TICKS_PER_TURN === 0) setImmediate(settled);
        else void NOW.then(tick);
      };
      if (done()) resolve(true);
      else wait();
    });
  }

  /**
   * Runs timers up to the first after which promises are to settle.
   * @returns whether it is done, once that is known
   */
  #runSome(done: () => boolean, endMs: number): boolean | undefined {
    for (;;) {
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
      if (done()) return true;
      if (timer.isQuiet && !this.#isStirred && !this.isNeverQuiet) continue;
      this.#isStirred = false;
      return undefined;
    }
  }
}
