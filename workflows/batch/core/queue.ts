// The moves that wait: due retries first, then moves passed over because of a limit, then new ones.
import type { BatchItem, BatchOptions } from '../../../contracts/batch.js';
import { BATCH_LOOK_AHEAD_MAX, type BatchTicket, type CarriedBatch } from '../../../contracts/batch-run.js';
import { ITEMS_READ_MAX } from './decision.js';
import { FreshTurns } from './fresh-turns.js';
import type { LastFailure } from './last-failure.js';
import { Retries } from './retries.js';
import type { SeqSet } from './seq-set.js';

type Carried = Pick<CarriedBatch, 'cursor' | 'round' | 'again' | 'passed' | 'retries'>;

/** What to do with a move whose turn it is. `pass`: pass it over while a limit holds it back. */
export type Verdict = 'start' | 'skip' | 'pass';

/** The next turn. */
export type Turn =
  /** Read these items first. */
  | { readonly kind: 'read'; readonly seqs: readonly number[] }
  /** Start this move; it is no longer in the queue. */
  | { readonly kind: 'start'; readonly ticket: BatchTicket; readonly item: BatchItem }
  | { readonly kind: 'skip' }
  | { readonly kind: 'none' };

interface TurnRequest {
  readonly nowMs: number;
  /** New moves of the plan are considered below this number. */
  readonly startable: number;
  readonly judge: (item: BatchItem) => Verdict;
}

const NO_TURN: Turn = { kind: 'none' };

export class Queue {
  readonly #fresh: FreshTurns;
  readonly #retries: Retries;
  /** Moves considered and passed over. */
  #passed: readonly BatchTicket[];
  readonly #items = new Map<number, BatchItem>();

  constructor(retries: BatchOptions['retries'], carried: Carried) {
    this.#fresh = new FreshTurns(carried);
    this.#retries = new Retries(retries, carried.retries);
    this.#passed = carried.passed;
  }

  carried(): Carried {
    return { ...this.#fresh.carried(), passed: [...this.#passed], retries: this.#retries.toJSON() };
  }

  has(seq: number): boolean {
    return this.#fresh.has(seq) || this.#passed.some((ticket) => ticket.seq === seq) || this.#retries.has(seq);
  }

  /** Numbers of moves that await a retry and whose items are missing. */
  get unread(): readonly number[] {
    return this.#retries.toJSON().flatMap(({ seq }) => (this.#items.has(seq) ? [] : [seq]));
  }

  /** Whether no move waits: none below the number, none passed over, no retry. */
  isDone(startable: number): boolean {
    return this.#passed.length === 0 && this.#retries.size === 0 && this.#fresh.isDone(startable);
  }

  /** Whether so many retries wait that no other move may start. */
  isHeldBack(nowMs: number): boolean {
    return this.#retries.isFull && this.#retries.due(nowMs).length === 0;
  }

  /** When the next retry that isn't due yet becomes due: see `Retries.nextDueAtMs`. */
  nextDueAtMs(nowMs: number): number {
    return this.#retries.nextDueAtMs(nowMs);
  }

  provide(item: BatchItem): void {
    this.#items.set(item.seq, item);
  }

  /** Queues a move again, to start as soon as there is room. */
  requeue(ticket: BatchTicket, item: BatchItem | undefined): void {
    if (item !== undefined) this.provide(item);
    this.#passed = [...this.#passed, ticket];
  }

  /** Queues a retry of a move after a pause. @returns false when it has no tries left */
  queueRetry(ticket: BatchTicket, last: LastFailure, item: BatchItem | undefined, nowMs: number): boolean {
    if (!this.#retries.add(ticket, last, nowMs)) return false;
    if (item !== undefined) this.provide(item);
    return true;
  }

  /** Queues these moves again as if they were new. */
  beginRound(failed: SeqSet): void {
    this.#fresh.beginRound(failed);
  }

  /** Removes all moves that await a retry. */
  takeRetries(): { ticket: BatchTicket; last: LastFailure; item: BatchItem | undefined }[] {
    return this.#retries.takeAll().map((retry) => {
      const item = this.#items.get(retry.seq);
      this.#items.delete(retry.seq);
      return { ticket: ticketOf(retry), last: retry.last, item };
    });
  }

  /** The next turn; a move that a limit holds back is passed over. */
  take(request: TurnRequest): Turn {
    const known = [...this.#retries.due(request.nowMs), ...this.#passed].map(ticketOf);
    const unread = known.map(({ seq }) => seq).filter((seq) => !this.#items.has(seq));
    if (unread.length > 0) return { kind: 'read', seqs: unread.slice(0, ITEMS_READ_MAX) };
    for (const ticket of known) {
      const item = this.#items.get(ticket.seq);
      if (item === undefined) continue;
      const verdict = request.judge(item);
      if (verdict === 'pass') continue;
      this.#retries.delete(ticket.seq);
      this.#passed = this.#passed.filter(({ seq }) => seq !== ticket.seq);
      return this.#out(verdict, ticket, item);
    }
    return this.#takeFresh(request);
  }

  #takeFresh({ startable, judge }: TurnRequest): Turn {
    while (this.#passed.length < BATCH_LOOK_AHEAD_MAX && !this.#retries.isFull) {
      const ticket = this.#fresh.next(startable);
      if (ticket === undefined) return NO_TURN;
      const item = this.#items.get(ticket.seq);
      if (item === undefined) return { kind: 'read', seqs: this.#fresh.page(startable) };
      this.#fresh.pass(ticket);
      const verdict = judge(item);
      if (verdict !== 'pass') return this.#out(verdict, ticket, item);
      this.#passed = [...this.#passed, ticket];
    }
    return NO_TURN;
  }

  #out(kind: 'start' | 'skip', ticket: BatchTicket, item: BatchItem): Turn {
    this.#items.delete(ticket.seq);
    return kind === 'skip' ? { kind } : { kind, ticket, item };
  }
}

/** A ticket without the fields that only a retry has. */
function ticketOf({ seq, round, starts, failures }: BatchTicket): BatchTicket {
  return { seq, round, starts, failures };
}
