// The rules with their store: what a rule changed is stored, in one transaction, before anything of it can be answered.
import type { RowStore } from '../store/row-store.js';
import type { SiteState } from './core/state.js';

export class Site {
  readonly state: SiteState;
  readonly #store: RowStore;

  constructor(state: SiteState, store: RowStore) {
    this.state = state;
    this.#store = store;
  }

  /** The clock of rules, milliseconds since 1970. */
  get nowMs(): number {
    return Date.now();
  }

  /** Applies one rule. A rule that refuses may have changed something before (an expired attempt is aborted): that is stored too. */
  change<Result>(rule: (state: SiteState, nowMs: number) => Result): Result {
    try {
      return rule(this.state, this.nowMs);
    } finally {
      this.#store.commit(this.state.takeChanges());
    }
  }
}
