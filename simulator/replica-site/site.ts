// The rules with their store: what a rule changed is stored, in one transaction, before anybody can see or be told of it.
import { MoverError } from '../../contracts/errors.js';
import type { RowStore } from '../store/row-store.js';
import type { SiteState } from './core/state.js';

export interface StoreFailure {
  readonly error: MoverError;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
}

export class Site {
  readonly state: SiteState;
  readonly #store: RowStore;
  #failure: StoreFailure | undefined;

  constructor(state: SiteState, store: RowStore) {
    this.state = state;
    this.#store = store;
  }

  /** Why nothing could be stored when it was last tried. */
  get failure(): StoreFailure | undefined {
    return this.#failure;
  }

  /** The clock of rules, milliseconds since 1970. */
  get nowMs(): number {
    return Date.now();
  }

  /**
   * Applies one rule. A rule that refuses may have changed something before (an expired attempt is aborted): that is stored too.
   * When the store can't take the change, the rule is broken, or it met a row that can't be read (CORRUPT, VOLUME_UNUSABLE),
   * everything is as it was before.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED; what the rule throws
   */
  change<Result>(rule: (state: SiteState, nowMs: number) => Result): Result {
    let result: Result;
    try {
      result = rule(this.state, this.nowMs);
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
      if (error instanceof MoverError) this.#failure = { error, sinceMs: this.#failure?.sinceMs ?? this.nowMs };
      this.state.undo();
      throw error;
    }
    this.state.settle();
  }
}
