// The rules with their store: what a rule changed is stored, in one transaction, before anything of it can be answered.
// And the rules' clocks: rules get numbers passed in, and never ask the time themselves.
import { randomInt } from 'node:crypto';
import { AgeClock } from '../../control/clock/age-clock.js';
import type { ProcessClock } from '../../control/clock/process-clock.js';
import { CLOCK_SKEW_MS_MAX } from '../../contracts/clock.js';
import type { RowStore } from '../store/row-store.js';
import { newestAgeMs } from './core/policy.js';
import type { SiteState } from './core/state.js';
import type { SiteMoment } from './core/terms.js';

/** A life's number is random, so that it needs no store: on a full disk the site starts all the same. */
const LIFE_NUMBER_MAX = 2 ** 47;

export class Site {
  readonly state: SiteState;
  readonly #store: RowStore;
  readonly #clock: ProcessClock;
  readonly #age: AgeClock;

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

  /** The clocks of rules. */
  get now(): SiteMoment {
    const now = this.#clock.now();
    return { ...now, ageMs: this.#age.advance(now, this.#clock.watch.isAgreed) };
  }

  /** Stores the clock that ages are counted by, for when no point is closed that would be stamped with it. */
  keepAge(): void {
    this.change((state, { ageMs }) => state.storeAge(ageMs));
  }

  /** Applies one rule. A rule that refuses may have changed something before (an expired attempt is aborted): that is stored too. */
  change<Result>(rule: (state: SiteState, now: SiteMoment) => Result): Result {
    const { now } = this;
    try {
      return rule(this.state, now);
    } finally {
      this.#store.commit(this.state.takeChanges());
    }
  }
}
