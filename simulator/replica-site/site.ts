// The rules with their store and clocks. What a rule changed is stored in one transaction before
// anybody sees it. Rules get times passed in, and never read a clock themselves.
import { randomInt } from 'node:crypto';
import { AgeClock } from '../../control/clock/age-clock.js';
import type { ProcessClock } from '../../control/clock/process-clock.js';
import { CLOCK_SKEW_MS_MAX } from '../../contracts/clock.js';
import { MoverError } from '../../contracts/errors.js';
import type { RowStore } from '../store/row-store.js';
import { newestAgeMs } from './core/policy.js';
import type { SiteState } from './core/state.js';
import type { SiteMoment } from './core/terms.js';

/**
 * Bound of a life's number. It is random, so that it needs no store: the site starts on a full disk
 * too.
 */
const LIFE_NUMBER_MAX = 2 ** 47;

export interface StoreFailure {
  readonly error: MoverError;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
}

export class Site {
  readonly state: SiteState;
  readonly #store: RowStore;
  readonly #clock: ProcessClock;
  readonly #age: AgeClock;
  #failure: StoreFailure | undefined;

  constructor(state: SiteState, store: RowStore, clock: ProcessClock) {
    this.state = state;
    this.#store = store;
    this.#clock = clock;
    const now = clock.now();
    const earlierMs = newestAgeMs(state, now.wallMs);
    this.#age = new AgeClock(earlierMs, now);
    if (earlierMs !== undefined && now.wallMs < earlierMs - CLOCK_SKEW_MS_MAX)
      clock.watch.suspect(now.wallMs - earlierMs, earlierMs);
    state.beginLife({ number: randomInt(LIFE_NUMBER_MAX), beganAtMs: now.monotonicMs });
  }

  /** Why the last change could not be stored; undefined if it was. */
  get failure(): StoreFailure | undefined {
    return this.#failure;
  }

  /** The present time, for rules. */
  get now(): SiteMoment {
    const now = this.#clock.now();
    return { ...now, ageMs: this.#age.advance(now, this.#clock.watch.isAgreed) };
  }

  /**
   * Stores the clock of ages, in case no point is closed, which would be stamped with it.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED
   */
  keepAge(): void {
    this.change((state, { ageMs }) => state.storeAge(ageMs));
  }

  /**
   * Applies one rule and stores its changes. A rule that refuses may have changed something before
   * (aborted an expired attempt): that is stored too. Everything is taken back if the store refuses
   * the change, the rule has a fault, or it met an unreadable row (CORRUPT, VOLUME_UNUSABLE).
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED; what the rule throws
   */
  change<Result>(rule: (state: SiteState, now: SiteMoment) => Result): Result {
    const { now } = this;
    let result: Result;
    try {
      result = rule(this.state, now);
    } catch (error) {
      if (error instanceof MoverError && error.code !== 'CORRUPT' && error.code !== 'VOLUME_UNUSABLE') this.#publish();
      else this.state.undo();
      throw error;
    }
    this.#publish();
    return result;
  }

  #publish(): void {
    const changes = this.state.changes();
    try {
      this.#store.commit(changes);
      if (changes.length > 0) this.#failure = undefined;
    } catch (error) {
      if (error instanceof MoverError) this.#failure = { error, sinceMs: this.#failure?.sinceMs ?? this.#clock.wallMs };
      this.state.undo();
      throw error;
    }
    this.state.settle();
  }
}
