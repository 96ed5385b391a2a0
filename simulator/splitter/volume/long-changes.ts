// Lets changes that touch thousands of regions in one at a time, each in a turn of the event loop
// of its own: many at once would otherwise hold up every other guest.
import { setImmediate as nextTurn } from 'node:timers/promises';

export class LongChanges {
  #last = Promise.resolve();

  /** Resolves when it is the caller's turn. */
  async turn(): Promise<void> {
    const before = this.#last;
    const mine = (async () => {
      await before;
      await nextTurn();
    })();
    this.#last = mine;
    await mine;
  }
}

/** All volumes of a process share its event loop. */
export const longChanges = new LongChanges();
