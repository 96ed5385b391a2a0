// Failed moves that await their next try.
import type { BatchOptions } from '../../../contracts/batch.js';
import { BATCH_RETRIES_WAITING_MAX, type BatchTicket, type CarriedBatch } from '../../../contracts/batch-run.js';
import type { LastFailure } from './last-failure.js';

type Retry = CarriedBatch['retries'][number];

/** Longest pause before a retry: a day. */
const PAUSE_MS_MAX = 24 * 3_600_000;

export class Retries {
  readonly #options: BatchOptions['retries'];
  #waiting: readonly Retry[];

  constructor(options: BatchOptions['retries'], waiting: readonly Retry[]) {
    this.#options = options;
    this.#waiting = waiting;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Whether the limit of waiting retries is reached, so that no new move starts. */
  get isFull(): boolean {
    return this.#waiting.length >= BATCH_RETRIES_WAITING_MAX;
  }

  has(seq: number): boolean {
    return this.#waiting.some((retry) => retry.seq === seq);
  }

  /** Adds a retry. @returns false when the move has no tries left; it does not wait then */
  add(ticket: BatchTicket, last: LastFailure, nowMs: number): boolean {
    const { max, backoffMs } = this.#options;
    if (ticket.failures > max) return false;
    // The pause doubles with each try.
    const pauseMs = Math.min(backoffMs * 2 ** (ticket.failures - 1), PAUSE_MS_MAX);
    this.#waiting = [...this.#waiting, { ...ticket, dueAtMs: nowMs + pauseMs, last }];
    return true;
  }

  delete(seq: number): void {
    this.#waiting = this.#waiting.filter((retry) => retry.seq !== seq);
  }

  due(nowMs: number): readonly Retry[] {
    return this.#waiting.filter(({ dueAtMs }) => dueAtMs <= nowMs);
  }

  /**
   * When the next retry that isn't due yet becomes due; Infinity when there is none. Those that are
   * due wait for room, not for a time.
   */
  nextDueAtMs(nowMs: number): number {
    return Math.min(...this.#waiting.map(({ dueAtMs }) => dueAtMs).filter((dueAtMs) => dueAtMs > nowMs));
  }

  takeAll(): readonly Retry[] {
    const all = this.#waiting;
    this.#waiting = [];
    return all;
  }

  toJSON(): Retry[] {
    return [...this.#waiting];
  }
}
