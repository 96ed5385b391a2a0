// Runs rounds of retention at intervals: they keep history within bounds.
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import type { PointId } from '../../contracts/ids.js';
import type { RoomReserve } from '../disk/room-reserve.js';
import type { Journals } from './journals.js';
import { RetentionRounds } from './retention-rounds.js';
import type { Site } from './site.js';

/** Interval of rounds, milliseconds. */
export const RETENTION_EVERY_MS = 60_000;
/**
 * Age from which on an applied position may be dropped: longer than a point may wait for its cuts
 * (30 s).
 */
export const SETTLED_AFTER_MS = 45_000;

export interface RetentionOptions {
  readonly site: Site;
  readonly journals: Journals;
  /** Points with open images. */
  readonly inUse: () => ReadonlySet<PointId>;
  readonly everyMs: number;
  readonly settledAfterMs: number;
  /** How long a verdict that nobody needs is kept; default: a day. */
  readonly verdictKeptMs?: number | undefined;
  /** The reserve of room on the disk: filled again after each round. */
  readonly reserve: Pick<RoomReserve, 'take'>;
  readonly log: Logger;
}

export class Retention {
  readonly #site: Site;
  readonly #log: Logger;
  readonly #reserve: Pick<RoomReserve, 'take'>;
  readonly #journals: Journals;
  readonly #rounds: RetentionRounds;
  readonly #stopping = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;

  constructor({ everyMs, journals, reserve, ...options }: RetentionOptions) {
    this.#site = options.site;
    this.#log = options.log;
    this.#reserve = reserve;
    this.#journals = journals;
    this.#rounds = new RetentionRounds({
      ...options,
      journals: journals.open,
      steadyMs: () => performance.now(),
      signal: this.#stopping.signal,
    });
    this.#timer = setInterval(() => {
      this.#running ??= this.#run().finally(() => {
        this.#running = undefined;
      });
    }, everyMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort();
    await this.#running;
  }

  /** Stores the clock of ages; on a full disk a later round does, after history was dropped. */
  #keepAge(): void {
    try {
      this.#site.keepAge();
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      this.#log.warn({ code: error.code, reason: error.message }, 'the clock of ages could not be stored');
    }
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    try {
      this.#keepAge();
      await this.#journals.openRefused();
      await this.#rounds.run();
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#log.error({ err: error }, 'retention failed; it is tried again');
    }
    if (!this.#stopping.signal.aborted) await this.#reserve.take();
  }
}
