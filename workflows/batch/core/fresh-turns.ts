// Moves not yet considered in their round: first those that `retryFailed` queued again, then the
// rest of the plan in order.
import type { BatchTicket, CarriedBatch } from '../../../contracts/batch-run.js';
import { ITEMS_READ_MAX } from './decision.js';
import { SeqSet } from './seq-set.js';

type Carried = Pick<CarriedBatch, 'cursor' | 'round' | 'again'>;

export class FreshTurns {
  /** The first move of the plan not yet considered. */
  #cursor: number;
  /** How often failed moves were queued again. */
  #round: number;
  readonly #again: SeqSet;

  constructor({ cursor, round, again }: Carried) {
    this.#cursor = cursor;
    this.#round = round;
    this.#again = SeqSet.from(again);
  }

  carried(): Carried {
    return { cursor: this.#cursor, round: this.#round, again: this.#again.toJSON() };
  }

  has(seq: number): boolean {
    return seq >= this.#cursor || this.#again.has(seq);
  }

  /** Whether no move is left below this number. */
  isDone(startable: number): boolean {
    return this.#again.size === 0 && this.#cursor >= startable;
  }

  /**
   * The next move. It stays the next one until it is passed.
   * @param startable only moves of the plan below this number
   */
  next(startable: number): BatchTicket | undefined {
    const again = this.#again.first();
    if (again !== undefined) return { seq: again, round: this.#round, starts: 0, failures: 0 };
    return this.#cursor < startable ? { seq: this.#cursor, round: 0, starts: 0, failures: 0 } : undefined;
  }

  /** Numbers of the moves to read when the next one's item is not known. */
  page(startable: number): number[] {
    const again = this.#again.first();
    if (again !== undefined) return [again];
    const count = Math.min(ITEMS_READ_MAX, startable - this.#cursor);
    return Array.from({ length: count }, (_, i) => this.#cursor + i);
  }

  /** Marks the next move as considered. */
  pass({ seq }: BatchTicket): void {
    if (!this.#again.delete(seq)) this.#cursor += 1;
  }

  /** Queues these moves again and empties the set. */
  beginRound(failed: SeqSet): void {
    this.#round += 1;
    this.#again.take(failed);
  }
}
