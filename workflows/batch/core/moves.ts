// The state of each move of a batch (waiting, running or over) and the only transitions between
// them.
import type { BatchCounts, BatchFailure, BatchItem, BatchOptions, Concurrency } from '../../../contracts/batch.js';
import type { BatchTicket, CarriedBatch, MoveEnd, PlannedBatch } from '../../../contracts/batch-run.js';
import type { MoveId } from '../../../contracts/ids.js';
import { childIdOf, type Naming } from './child-id.js';
import type { Decision, Start } from './decision.js';
import { Durations } from './durations.js';
import { type Flight, InFlight, type InFlightView } from './in-flight.js';
import { lastFailureOf } from './last-failure.js';
import { Pace } from './pace.js';
import { Queue, type Turn } from './queue.js';
import { Skips } from './skips.js';
import { StartRate } from './start-rate.js';
import { Tally } from './tally.js';

/** Starts in one decision. The workflow checks the length of its history between decisions. */
const STARTS_AT_ONCE_MAX = 50;

type Carried = Omit<
  CarriedBatch,
  'batch' | 'startedAtMs' | 'runs' | 'pausedBy' | 'canary' | 'window' | 'stop' | 'lastRequest'
>;

/** The moves that can start now, or what to wait for. */
type NextStarts =
  | Extract<Decision, { kind: 'read' | 'start' }>
  /** Nothing can start before the time; Infinity: nothing before a running move ends. */
  | { readonly kind: 'none'; readonly untilMs: number };

export class Moves {
  readonly skips: Skips;
  readonly #expectedMoveMs: number;
  readonly #workflowId: string;
  readonly #naming: Naming;
  #plan: PlannedBatch | undefined;
  readonly #queue: Queue;
  readonly #inFlight: InFlight;
  readonly #tally: Tally;
  readonly #durations: Durations;
  readonly #rate: StartRate;
  readonly #pace: Pace;

  /** @param workflowId the batch's: it prefixes the moves' workflow ids */
  constructor(options: BatchOptions, workflowId: string, carried: Carried, naming: Naming = 'named') {
    this.#expectedMoveMs = options.expectedMoveMs;
    this.#workflowId = workflowId;
    this.#naming = naming;
    this.#plan = carried.plan;
    this.#queue = new Queue(options.retries, carried);
    this.#inFlight = new InFlight(carried);
    this.#tally = new Tally(carried);
    this.skips = new Skips(carried.skips);
    this.#durations = Durations.from(carried.durations);
    this.#rate = new StartRate(options.startsPerSecond, carried.starts);
    this.#pace = new Pace(carried.ends);
  }

  /**
   * The state for the next run. Its keys are in the schema's order, so equal states are equal
   * bytes.
   */
  carried(): Carried {
    const { cursor, round, ...waiting } = this.#queue.carried();
    const { concurrency, flying } = this.#inFlight.carried();
    const { failures, ...over } = this.#tally.carried();
    return {
      ...(this.#plan === undefined ? {} : { plan: this.#plan }),
      concurrency,
      cursor,
      round,
      ...over,
      ...waiting,
      flying,
      skips: this.skips.toJSON(),
      failures,
      durations: this.#durations.toJSON(),
      starts: this.#rate.toJSON(),
      ends: this.#pace.toJSON(),
    };
  }

  get plan(): PlannedBatch | undefined {
    return this.#plan;
  }

  get planned(): number {
    return this.#plan?.planned ?? 0;
  }

  get waiting(): number {
    return this.counts().waiting;
  }

  get running(): number {
    return this.#inFlight.size;
  }

  get failed(): number {
    return this.#tally.failed;
  }

  counts(): BatchCounts {
    return this.#tally.counts(this.#plan, this.running);
  }

  get failures(): readonly BatchFailure[] {
    return this.#tally.failures;
  }

  get inFlight(): InFlightView {
    return this.#inFlight;
  }

  /**
   * Moves started in an earlier run whose items are missing. Limits and failure reports need them.
   */
  get unread(): readonly number[] {
    return [...this.#inFlight.unread, ...this.#queue.unread];
  }

  /** Expected duration of the next move, ms. */
  get expectedMs(): number {
    return this.#durations.expectedMs(this.#expectedMoveMs);
  }

  perMinute(nowMs: number, sinceMs: number): number {
    return this.#pace.perMinute(nowMs, sinceMs);
  }

  isOver(seq: number): boolean {
    return !this.#queue.has(seq) && this.#inFlight.get(seq) === undefined;
  }

  /** Whether all moves of the plan below this number are over and none is queued again. */
  isDone(startable: number): boolean {
    return this.running === 0 && this.#queue.isDone(startable);
  }

  plans(plan: PlannedBatch): void {
    this.#plan = plan;
  }

  provide(items: readonly BatchItem[]): void {
    for (const item of items) if (!this.#inFlight.provide(item)) this.#queue.provide(item);
  }

  limit(concurrency: Concurrency): void {
    this.#inFlight.limit(concurrency);
  }

  /** Queues all failed moves again. @returns how many */
  retryFailed(): number {
    const count = this.failed;
    this.#queue.beginRound(this.#tally.takeFailed());
    return count;
  }

  /**
   * Takes the moves out of the queue that the limits allow to run now.
   * @param startable only moves of the plan below this number may start
   */
  begin(nowMs: number, startable: number): NextStarts {
    const starts: Start[] = [];
    let rateMs = Infinity;
    while (starts.length < STARTS_AT_ONCE_MAX && !this.#inFlight.isFull && !this.#queue.isHeldBack(nowMs)) {
      if (this.#rate.nextAtMs() > nowMs) {
        rateMs = this.#rate.nextAtMs();
        break;
      }
      const turn = this.#next(nowMs, startable);
      if (turn.kind === 'none') break;
      if (turn.kind === 'start') starts.push(this.#start(turn, nowMs));
      else if (starts.length === 0) return turn;
      else break;
    }
    if (starts.length > 0) return { kind: 'start', starts };
    return { kind: 'none', untilMs: Math.min(rateMs, this.#queue.nextDueAtMs(nowMs)) };
  }

  /** The next move that is not skipped. */
  #next(nowMs: number, startable: number): Exclude<Turn, { kind: 'skip' }> {
    for (;;) {
      const turn = this.#queue.take({
        nowMs,
        startable,
        judge: (item) => (this.skips.covers(item) ? 'skip' : this.#inFlight.hasRoomFor(item) ? 'start' : 'pass'),
      });
      if (turn.kind !== 'skip') return turn;
      this.#tally.add('skipped');
    }
  }

  #start({ ticket, item }: { readonly ticket: BatchTicket; readonly item: BatchItem }, nowMs: number): Start {
    const started = { ...ticket, starts: ticket.starts + 1 };
    const workflowId = childIdOf(this.#workflowId, item, started, this.#naming);
    this.#inFlight.add(started, item, { workflowId, nowMs });
    this.#rate.started(nowMs);
    return { item, workflowId };
  }

  named(seq: number, move: MoveId): void {
    this.#inFlight.named(seq, move);
  }

  /** @returns workflow ids of running moves not asked before */
  requestCancellation(): readonly string[] {
    return this.#inFlight.requestCancellation();
  }

  /** @returns whether the move failed for good */
  ended(seq: number, end: MoveEnd | undefined, more: { readonly nowMs: number; readonly mayRetry: boolean }): boolean {
    const flight = this.#inFlight.remove(seq);
    if (flight === undefined) return false;
    if (end !== undefined) this.#pace.ended(more.nowMs);
    switch (end?.kind) {
      case undefined:
      case 'window-closed':
        this.#queue.requeue(flight.ticket, flight.item);
        return false;
      case 'moved':
        this.#durations.add(end.tookMs);
        this.#tally.add(end.kind);
        return false;
      case 'there':
      case 'cancelled':
        this.#tally.add(end.kind);
        return false;
      case 'failed':
        return this.#recordFailure(flight, end, more);
    }
  }

  #recordFailure(
    { ticket: { failures, ...ticket }, item, move }: Flight,
    end: Extract<MoveEnd, { kind: 'failed' }>,
    { nowMs, mayRetry }: { readonly nowMs: number; readonly mayRetry: boolean },
  ): boolean {
    const tried = { ...ticket, failures: failures + 1 };
    const last = lastFailureOf(end);
    if (mayRetry && !end.stands && this.#queue.queueRetry(tried, last, item, nowMs)) return false;
    this.#tally.addFailed(tried, last, { item, move });
    return true;
  }

  /** Turns all moves that await a retry into failures. */
  failRetries(): void {
    for (const { ticket, last, item } of this.#queue.takeRetries()) this.#tally.addFailed(ticket, last, { item });
  }
}
