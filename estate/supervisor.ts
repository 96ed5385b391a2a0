// Keeps each process of an estate alive by itself: whatever happens to one, the others go on.
import { setTimeout as delay } from 'node:timers/promises';
import { deathText } from './death-text.js';
import { type ProcessEnd, unstarted } from './process-end.js';
import { RESTART_LIMITS, type RestartLimits, RestartPolicy } from './restart-policy.js';
import type { Supervised } from './supervised.js';

export interface SupervisorLimits extends RestartLimits {
  /**
   * How long the next processes wait for one that starts, ms. The order is a courtesy: each copes
   * without the others.
   */
  readonly stageMsMax: number;
  /** Pause between two looks at whether a process answers, ms. */
  readonly lookEveryMs: number;
  /**
   * Looks in a row without an answer after which a process hangs: looks, not time, so that a
   * launcher that slept blames nobody.
   */
  readonly looksMax: number;
  /** The same for one that is not ready yet; it grows with each time that it was too few. */
  readonly startLooksMax: number;
}

const LIMITS: SupervisorLimits = {
  ...RESTART_LIMITS,
  stageMsMax: 10_000,
  lookEveryMs: 5_000,
  // A minute: a process that reads a large journal, or a machine that swaps, has as long.
  looksMax: 12,
  startLooksMax: 12,
};
/**
 * The patience with a process that is not ready doubles with each time that it was too short, up to
 * 16-fold.
 */
const PATIENCE_FACTOR_MAX = 16;

export interface SupervisorOptions {
  readonly say: (line: string) => void;
  /** Called at the begin of each life of a process. */
  readonly onLife?: () => void;
  readonly limits?: Partial<SupervisorLimits>;
}

export class Supervisor {
  /**
   * Rejects when a process refuses its configuration at its very first start, which nobody but the
   * user can mend.
   */
  readonly refused: Promise<never>;
  #refuse: (reason: Error) => void = () => undefined;
  readonly #say: (line: string) => void;
  readonly #onLife: () => void;
  readonly #limits: SupervisorLimits;
  readonly #over = new AbortController();
  readonly #kept: Promise<void>[] = [];

  constructor({ say, onLife = () => undefined, limits = {} }: SupervisorOptions) {
    this.#say = say;
    this.#onLife = onLife;
    this.#limits = { ...LIMITS, ...limits };
    this.refused = new Promise((_resolve, reject) => {
      this.#refuse = reject;
    });
    this.refused.catch(() => undefined);
  }

  /**
   * Starts the processes and keeps them. Resolves when each serves or has ended once, and after
   * `stageMsMax` at the latest. Never rejects: see `refused`.
   */
  async start(processes: readonly Supervised[]): Promise<void> {
    const first = Promise.all(processes.map(async (process) => this.#keep(process)));
    await Promise.race([first, delay(this.#limits.stageMsMax, undefined, { ref: false })]);
  }

  /**
   * From now on a death is nobody's business: everything is being stopped. No life begins any more.
   */
  end(): void {
    this.#over.abort();
  }

  /** Resolves when nothing is under way any more, after `end` and the stop of every process. */
  async settled(): Promise<void> {
    await Promise.all(this.#kept);
  }

  /** Resolves when the first life serves, or is over. */
  async #keep(process: Supervised): Promise<void> {
    const keeper = new Keeper(process, {
      limits: this.#limits,
      say: this.#say,
      onLife: this.#onLife,
      refuse: this.#refuse,
    });
    await new Promise<void>((resolve) => {
      this.#kept.push(keeper.run(this.#over.signal, resolve));
    });
  }
}

interface KeeperOptions extends Required<SupervisorOptions> {
  readonly limits: SupervisorLimits;
  readonly refuse: (reason: Error) => void;
}

/** The lives of one process. */
class Keeper {
  readonly #process: Supervised;
  readonly #options: KeeperOptions;
  readonly #policy: RestartPolicy;
  #hasServed = false;
  #lives = 0;
  /** Whether the user knows of the last death, and so wants to know of the next life. */
  #deathWasTold = false;
  #patienceFactor = 1;

  constructor(process: Supervised, options: KeeperOptions) {
    this.#process = process;
    this.#options = options;
    this.#policy = new RestartPolicy(options.limits);
  }

  async run(over: AbortSignal, onFirst: () => void): Promise<void> {
    while (!over.aborted) {
      const end = await this.#live(over, onFirst);
      if (over.aborted) break;
      if (end.isRefusal && this.#lives === 1 && !this.#hasServed) {
        this.#options.refuse(new Error(`${this.#process.name} refuses its configuration: ${end.reason}`));
        onFirst();
        return;
      }
      const restart = this.#policy.died(performance.now(), end.reason ?? end.how);
      this.#deathWasTold = restart.telling !== 'nothing';
      if (this.#deathWasTold) this.#options.say(deathText(this.#process, end, restart));
      onFirst();
      await delay(restart.pauseMs, undefined, { signal: over }).catch(() => undefined);
    }
    onFirst();
  }

  /** One life, to its end. */
  async #live(over: AbortSignal, onServing: () => void): Promise<ProcessEnd> {
    const lifeOver = new AbortController();
    try {
      await this.#process.begin();
      this.#lives += 1;
      this.#options.onLife();
      // The stop of everything may have come between: it does not know of this life.
      if (over.aborted) await this.#process.stop();
      const isServing = this.#awaitServing(onServing);
      const hung = this.#watch(isServing, lifeOver.signal);
      const end = await this.#process.ended();
      lifeOver.abort();
      const why = await hung;
      return why === undefined ? end : { ...end, how: `was ended: ${why}`, reason: undefined };
    } catch (error) {
      return unstarted(error);
    } finally {
      lifeOver.abort();
    }
  }

  /**
   * Waits until the life serves, and says so where the user wants to know.
   * @returns whether it does yet
   */
  #awaitServing(onServing: () => void): () => boolean {
    let isServing = false;
    const wait = async (): Promise<void> => {
      const where = await this.#process.serving();
      isServing = true;
      this.#policy.serves(performance.now());
      this.#patienceFactor = 1;
      if (!this.#hasServed) this.#options.say(where);
      else if (this.#deathWasTold)
        this.#options.say(`${this.#process.name} runs again (process id ${this.#process.pid}).`);
      this.#hasServed = true;
      onServing();
    };
    // A life that ends before it serves is told at its end.
    wait().catch(() => undefined);
    return () => isServing;
  }

  /**
   * Ends a life that does not answer. Resolves to why when it did, at the end of the life
   * otherwise.
   */
  async #watch(isServing: () => boolean, signal: AbortSignal): Promise<string | undefined> {
    const { lookEveryMs, looksMax, startLooksMax } = this.#options.limits;
    let silentLooks = 0;
    for (;;) {
      await delay(lookEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return undefined;
      silentLooks = (await this.#process.answers()) ? 0 : silentLooks + 1;
      if (signal.aborted) return undefined;
      const started = isServing();
      if (silentLooks < (started ? looksMax : startLooksMax * this.#patienceFactor)) continue;
      if (!started) this.#patienceFactor = Math.min(PATIENCE_FACTOR_MAX, this.#patienceFactor * 2);
      const seconds = Math.round((silentLooks * lookEveryMs) / 1_000);
      await this.#process.kill();
      return started ? `it did not answer for ${seconds} s` : `it was not ready after ${seconds} s and did not answer`;
    }
  }
}
