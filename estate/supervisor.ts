// Keeps each process of an estate alive independently: whatever happens to one, the others
// continue.
import { setTimeout as delay } from 'node:timers/promises';
import { deathText } from './death-text.js';
import { type ProcessEnd, unstarted } from './process-end.js';
import { RESTART_LIMITS, type RestartLimits, RestartPolicy } from './restart-policy.js';
import type { Supervised } from './supervised.js';

export interface SupervisorLimits extends RestartLimits {
  /**
   * Longest wait of the next processes for those that start, ms. The order only saves time: each
   * process works without the others.
   */
  readonly stageMsMax: number;
  /** Pause between two health checks of a process, ms. */
  readonly checkEveryMs: number;
  /**
   * Failed checks in a row after which a process counts as hanging. Checks instead of time: a
   * launcher that slept must not blame the process.
   */
  readonly failedChecksMax: number;
  /** The same for a process that isn't ready yet; doubled each time it proves too few. */
  readonly startFailedChecksMax: number;
}

const LIMITS: SupervisorLimits = {
  ...RESTART_LIMITS,
  stageMsMax: 10_000,
  checkEveryMs: 5_000,
  // A minute: enough for a process that reads a large journal, or a machine that swaps.
  failedChecksMax: 12,
  startFailedChecksMax: 12,
};
/** Largest factor on `startFailedChecksMax`. The factor doubles each time a start is cut short. */
const PATIENCE_FACTOR_MAX = 16;

export interface SupervisorOptions {
  readonly print: (line: string) => void;
  /** Called when a life of a process begins. */
  readonly onLife?: () => void;
  readonly limits?: Partial<SupervisorLimits>;
}

export class Supervisor {
  /** Rejects when a process refuses its configuration at its first start: the user must mend it. */
  readonly refused: Promise<never>;
  #refuse: (reason: Error) => void = () => undefined;
  readonly #print: (line: string) => void;
  readonly #onLife: () => void;
  readonly #limits: SupervisorLimits;
  readonly #ending = new AbortController();
  readonly #kept: Promise<void>[] = [];

  constructor({ print, onLife = () => undefined, limits = {} }: SupervisorOptions) {
    this.#print = print;
    this.#onLife = onLife;
    this.#limits = { ...LIMITS, ...limits };
    this.refused = new Promise((_resolve, reject) => {
      this.#refuse = reject;
    });
    this.refused.catch(() => undefined);
  }

  /**
   * Starts the processes and keeps them alive. Resolves when each has served or ended once, at the
   * latest after `stageMsMax`. Never rejects: see `refused`.
   */
  async start(processes: readonly Supervised[]): Promise<void> {
    const first = Promise.all(processes.map(async (process) => this.#keep(process)));
    await Promise.race([first, delay(this.#limits.stageMsMax, undefined, { ref: false })]);
  }

  /**
   * Ends the supervision, as everything is being stopped: no restarts and no reports from now on.
   */
  end(): void {
    this.#ending.abort();
  }

  /** Resolves once no life is left, after `end` and the stop of every process. */
  async settled(): Promise<void> {
    await Promise.all(this.#kept);
  }

  /** Keeps one process. Resolves once its first life serves or has ended. */
  async #keep(process: Supervised): Promise<void> {
    const keeper = new Keeper(process, {
      limits: this.#limits,
      print: this.#print,
      onLife: this.#onLife,
      refuse: this.#refuse,
    });
    await new Promise<void>((resolve) => {
      this.#kept.push(keeper.run(this.#ending.signal, resolve));
    });
  }
}

interface KeeperOptions extends Required<SupervisorOptions> {
  readonly limits: SupervisorLimits;
  readonly refuse: (reason: Error) => void;
}

/** Runs the lives of one process. */
class Keeper {
  readonly #process: Supervised;
  readonly #options: KeeperOptions;
  readonly #policy: RestartPolicy;
  #hasServed = false;
  #lives = 0;
  /** Whether the last death was shown; then the next life is shown too. */
  #deathWasShown = false;
  #patienceFactor = 1;

  constructor(process: Supervised, options: KeeperOptions) {
    this.#process = process;
    this.#options = options;
    this.#policy = new RestartPolicy(options.limits);
  }

  async run(ending: AbortSignal, onFirst: () => void): Promise<void> {
    while (!ending.aborted) {
      const end = await this.#live(ending, onFirst);
      if (ending.aborted) break;
      if (end.isRefusal && this.#lives === 1 && !this.#hasServed) {
        this.#options.refuse(new Error(`${this.#process.name} refuses its configuration: ${end.reason}`));
        onFirst();
        return;
      }
      const restart = this.#policy.died(performance.now(), end.reason ?? end.how);
      this.#deathWasShown = restart.detail !== 'none';
      if (this.#deathWasShown) this.#options.print(deathText(this.#process, end, restart));
      onFirst();
      await delay(restart.pauseMs, undefined, { signal: ending }).catch(() => undefined);
    }
    onFirst();
  }

  /** Runs one life to its end. */
  async #live(ending: AbortSignal, onServing: () => void): Promise<ProcessEnd> {
    const lifeEnded = new AbortController();
    try {
      await this.#process.begin();
      this.#lives += 1;
      this.#options.onLife();
      // `end` may have been called during `begin`, and its stop missed this life.
      if (ending.aborted) await this.#process.stop();
      const isServing = this.#awaitServing(onServing);
      const hung = this.#watch(isServing, lifeEnded.signal);
      const end = await this.#process.ended();
      lifeEnded.abort();
      const why = await hung;
      return why === undefined ? end : { ...end, how: `was ended: ${why}`, reason: undefined };
    } catch (error) {
      return unstarted(error);
    } finally {
      lifeEnded.abort();
    }
  }

  /**
   * Waits until the life serves, then reports it if the user expects that.
   * @returns a function that tells whether the life serves yet
   */
  #awaitServing(onServing: () => void): () => boolean {
    let isServing = false;
    const wait = async (): Promise<void> => {
      const where = await this.#process.serving();
      isServing = true;
      this.#policy.serves(performance.now());
      this.#patienceFactor = 1;
      if (!this.#hasServed) this.#options.print(where);
      else if (this.#deathWasShown)
        this.#options.print(`${this.#process.name} runs again (process id ${this.#process.pid}).`);
      this.#hasServed = true;
      onServing();
    };
    // A life that ends before it serves is reported at its end.
    wait().catch(() => undefined);
    return () => isServing;
  }

  /**
   * Kills a life that doesn't answer. Resolves to the reason if it did, otherwise to undefined at
   * the end of the life.
   */
  async #watch(isServing: () => boolean, signal: AbortSignal): Promise<string | undefined> {
    const { checkEveryMs, failedChecksMax, startFailedChecksMax } = this.#options.limits;
    let failedChecks = 0;
    for (;;) {
      await delay(checkEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return undefined;
      failedChecks = (await this.#process.answers()) ? 0 : failedChecks + 1;
      if (signal.aborted) return undefined;
      const started = isServing();
      if (failedChecks < (started ? failedChecksMax : startFailedChecksMax * this.#patienceFactor)) continue;
      if (!started) this.#patienceFactor = Math.min(PATIENCE_FACTOR_MAX, this.#patienceFactor * 2);
      const seconds = Math.round((failedChecks * checkEveryMs) / 1_000);
      await this.#kill();
      return started ? `it did not answer for ${seconds} s` : `it was not ready after ${seconds} s and did not answer`;
    }
  }

  /** Kills the life. Tells of one that the system can't remove yet. Never rejects. */
  async #kill(): Promise<void> {
    try {
      await this.#process.kill();
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      this.#options.print(
        `${what} A process that waits for a dead disk ends when the disk answers; it is then started again.`,
      );
    }
  }
}
