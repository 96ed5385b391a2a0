// Failed moves that wait for their next try.
import type { BatchOptions } from '../../../contracts/batch.js';
import { BATCH_RETRIES_WAITING_MAX, type BatchTicket, type CarriedBatch } from '../../../contracts/batch-run.js';
import type { LastFailure } from './last-failure.js';

type Retry = CarriedBatch['retries'][number];

/** A day: a failure is never forgotten for longer. */
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

  /** So many that no move is begun for the first time. */
  get isFull(): boolean {
    return this.#waiting.length >= BATCH_RETRIES_WAITING_MAX;
  }

  has(seq: number): boolean {
    return this.#waiting.some((retry) => retry.seq === seq);
  }

  /** @returns false for one that has had all its tries: it does not wait */
  add(ticket: BatchTicket, last: LastFailure, nowMs: number): boolean {
    const { max, backoffMs } = this.#options;
    if (ticket.failures > max) return false;
    // Doubles with each try.
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

  /** When the next one is due that isn't yet; Infinity when there is none. */
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
