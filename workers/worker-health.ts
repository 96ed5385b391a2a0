// How a worker is: whether it takes work, and what is degraded.
import type { NativeConnection, Worker } from '@temporalio/worker';
import type { Health } from '../contracts/health.js';
import type { ProcessClock } from '../control/clock/process-clock.js';
import type { FollowedPorts } from '../control/followed-ports.js';
import { Remembered } from '../control/remembered.js';
import type { WorkerConfig } from './config.js';
import { temporalTrouble } from './temporal-connection.js';

/** The parts of a worker started so far. */
export interface StartedParts {
  readonly startedAtMs: number;
  readonly clock: ProcessClock;
  readonly ports: FollowedPorts;
  connection?: NativeConnection;
  worker?: Worker;
}

/**
 * How long an answer of Temporal counts, ms. However many probes there are, Temporal is asked no
 * more than once in this time.
 */
const CHECK_AGE_MS_MAX = 1_000;

type Config = Pick<WorkerConfig, 'id' | 'temporal' | 'credentials'>;

export class WorkerHealth {
  readonly #config: Config;
  readonly #parts: StartedParts;
  readonly #trouble: Remembered<string | undefined>;

  constructor(config: Config, parts: StartedParts) {
    this.#config = config;
    this.#parts = parts;
    this.#trouble = new Remembered(async () => this.#askTemporal(), CHECK_AGE_MS_MAX);
  }

  /** Why no work is taken now, in sentences without names; empty when work is taken. */
  readonly unready = async (): Promise<readonly string[]> => {
    const trouble = await this.#trouble.get();
    return [trouble === undefined ? undefined : 'Temporal does not answer.', this.#workerTrouble].filter(
      (reason) => reason !== undefined,
    );
  };

  readonly health = async (): Promise<Health> => {
    const { startedAtMs, clock, ports } = this.#parts;
    const { id, credentials } = this.#config;
    const trouble = await this.#trouble.get();
    const notes = [trouble, this.#workerTrouble, ports.fault, ...(credentials.faults ?? []), ...clock.notes].filter(
      (note) => note !== undefined,
    );
    const status = notes.length === 0 ? 'ok' : 'degraded';
    return { status, role: 'worker', id, startedAtMs, clock: clock.view, notes };
  };

  async #askTemporal(): Promise<string | undefined> {
    const { temporal } = this.#config;
    const { connection } = this.#parts;
    if (connection === undefined) return `Temporal at ${temporal.connection.address} has not answered yet.`;
    return await temporalTrouble(connection, temporal);
  }

  /** Why the worker takes no work of its own accord: it starts, or it stops. */
  get #workerTrouble(): string | undefined {
    const state = this.#parts.worker?.getState() ?? 'STARTING';
    return state === 'RUNNING' ? undefined : `The worker takes no work: it is ${state.toLowerCase()}.`;
  }
}
