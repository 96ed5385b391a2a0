// The splitter's lives and session numbers. A number is stored before anything is numbered under
// it, so that no two lives share one. Until then a volume is served with marks only, so a splitter
// starts even on a full disk. The list of lives reveals a folder put back from a copy: the replica
// site names the last life it heard.
import type { Logger } from 'pino';
import { z } from 'zod';
import { MoverError } from '../../../contracts/errors.js';
import type { VolumeId } from '../../../contracts/ids.js';
import { lifeIdSchema, type LifeId } from '../../../contracts/lineage.js';
import { sessionSchema } from '../../../contracts/numbers.js';
import type { RowChange, RowStore } from '../../store/row-store.js';
import { Backoff } from '../shared/backoff.js';
import { newLifeId } from '../shared/identities.js';
import { NO_SESSION, type VolumeSplitRow } from '../core/volume-split.js';

export const META_TABLE = 'meta';
const SESSION_KEY = 'session';
const LIVES_KEY = 'lives';
/**
 * Lives that are remembered. The replica site names the last one that attached a volume, perhaps
 * long ago.
 */
const LIVES_MAX = 1_000;

const livesSchema = z.array(lifeIdSchema);

export interface SessionsOptions {
  readonly store: RowStore;
  /**
   * Rows that are new or changed at this start. They are stored with the first number: nothing may
   * be sent by a row that is not stored.
   */
  readonly rows: readonly VolumeSplitRow[];
  readonly log: Logger;
}

export class Sessions {
  /** Identity of this life. */
  readonly life: LifeId = newLifeId();
  readonly #store: RowStore;
  readonly #log: Logger;
  readonly #backoff = new Backoff();
  readonly #waiting = new Map<VolumeId, (session: number) => void>();
  #rows: readonly VolumeSplitRow[];
  /** Lives of this folder, this one included. */
  #lives: readonly LifeId[];
  #retry: NodeJS.Timeout | undefined;
  #failure: Error | undefined;

  constructor({ store, rows, log }: SessionsOptions) {
    this.#store = store;
    this.#rows = rows;
    this.#log = log;
    const before = livesSchema.safeParse(new Map(store.rows(META_TABLE)).get(LIVES_KEY));
    this.#lives = [...(before.data ?? []), this.life].slice(-LIVES_MAX);
  }

  /**
   * Whether a life is this one or an earlier one of this folder. An unknown one ran after the
   * folder was copied, or elsewhere.
   */
  readonly isKnown = (life: LifeId): boolean => this.#lives.includes(life);

  /**
   * Stores and returns an unused number of at least `min`.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED
   */
  next(min = 0): number {
    return this.#take(min);
  }

  /**
   * The number for the volumes at the start; NO_SESSION if it can't be stored: each then has to
   * `want` one.
   */
  first(): number {
    try {
      return this.#take();
    } catch (error) {
      this.#failed(error);
      return NO_SESSION;
    }
  }

  /** Calls back once when a number is stored, perhaps at once. */
  want(volume: VolumeId, started: (session: number) => void): void {
    this.#waiting.set(volume, started);
    if (this.#retry === undefined) this.#serve();
  }

  /** The volume wants no number any more, and its row was stored by itself. */
  forget(volume: VolumeId): void {
    this.#waiting.delete(volume);
    this.#rows = this.#rows.filter((row) => row.volume !== volume);
  }

  /** What is wrong, in sentences. */
  get notes(): string[] {
    if (this.#failure === undefined || this.#waiting.size === 0) return [];
    return [
      `Writes to ${this.#waiting.size} volumes are marked but not sent, because the splitter cannot store a session number: ${this.#failure.message} Guests are served, and the splitter tries again by itself. Check the disk of its data folder.`,
    ];
  }

  stop(): void {
    clearTimeout(this.#retry);
    this.#waiting.clear();
  }

  #serve(): void {
    if (this.#waiting.size === 0) return;
    try {
      const session = this.#take();
      this.#failure = undefined;
      this.#backoff.reset();
      const started = [...this.#waiting.values()];
      this.#waiting.clear();
      for (const start of started) start(session);
    } catch (error) {
      this.#failed(error);
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        this.#serve();
      }, this.#backoff.next());
    }
  }

  /**
   * @throws MoverError CORRUPT for a stored number that can't be read, STORAGE_FULL, STORAGE_FAILED
   */
  #take(min = 0): number {
    const stored = new Map(this.#store.rows(META_TABLE)).get(SESSION_KEY);
    const last = stored === undefined ? NO_SESSION : sessionOf(stored);
    const session = sessionSchema.parse(Math.max(last + 1, min));
    const changes: RowChange[] = this.#rows.map((row) => ({ table: 'volumes', key: row.volume, value: row }));
    this.#store.commit([
      { table: META_TABLE, key: SESSION_KEY, value: session },
      { table: META_TABLE, key: LIVES_KEY, value: this.#lives },
      ...changes,
    ]);
    this.#rows = [];
    return session;
  }

  #failed(error: unknown): void {
    const failure = error instanceof Error ? error : new Error(String(error));
    if (failure.message !== this.#failure?.message)
      this.#log.error({ err: failure }, 'no session number can be stored');
    this.#failure = failure;
  }
}

function sessionOf(stored: unknown): number {
  const session = sessionSchema.safeParse(stored);
  if (session.success) return session.data;
  throw new MoverError('CORRUPT', 'The stored session number is not valid: the numbers used so far are unknown.');
}
