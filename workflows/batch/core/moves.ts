// Where each move of a batch is (it waits, runs, or is over), and the only ways from one to the
// other.
import type { BatchCounts, BatchFailure, BatchItem, BatchOptions, Concurrency } from '../../../contracts/batch.js';
import type { BatchTicket, CarriedBatch, MoveEnd, PlannedBatch } from '../../../contracts/batch-run.js';
import type { MoveId } from '../../../contracts/ids.js';
import { childIdOf } from './child-id.js';
import type { Decision, Start } from './decision.js';
import { Durations } from './durations.js';
import { type Flight, InFlight, type InFlightView } from './in-flight.js';
import { lastFailureOf } from './last-failure.js';
import { Pace } from './pace.js';
import { Queue, type Turn } from './queue.js';
import { Skips } from './skips.js';
import { StartRate } from './start-rate.js';
import { Tally } from './tally.js';

/** Starts in one decision: between two of them the workflow looks at the length of its history. */
const STARTS_AT_ONCE_MAX = 50;

type Carried = Omit<
  CarriedBatch,
  'batch' | 'startedAtMs' | 'runs' | 'pausedBy' | 'canary' | 'window' | 'stop' | 'lastRequest'
>;

/** What can be begun now. */
type Begun =
  | Extract<Decision, { kind: 'read' | 'start' }>
  /** Nothing before the time, or before a move ends when it is Infinity. */
  | { readonly kind: 'none'; readonly untilMs: number };

export class Moves {
  readonly skips: Skips;
  readonly #expectedMoveMs: number;
  readonly #workflowId: string;
  #plan: PlannedBatch | undefined;
  readonly #queue: Queue;
  readonly #inFlight: InFlight;
  readonly #tally: Tally;
  readonly #durations: Durations;
  readonly #rate: StartRate;
  readonly #pace: Pace;

  /** @param workflowId of the batch: the moves' workflow ids begin with it */
  constructor(options: BatchOptions, workflowId: string, carried: Carried) {
    this.#expectedMoveMs = options.expectedMoveMs;
    this.#workflowId = workflowId;
    this.#plan = carried.plan;
    this.#queue = new Queue(options.retries, carried);
    this.#inFlight = new InFlight(carried);
    this.#tally = new Tally(carried);
    this.skips = new Skips(carried.skips);
    this.#durations = Durations.from(carried.durations);
    this.#rate = new StartRate(options.startsPerSecond, carried.starts);
    this.#pace = new Pace(carried.ends);
  }

  /** In the order of the schema: what the next run is given stays the same to the byte. */
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
   * What has begun in an earlier run and is known by number only: without it limits are not kept,
   * and failures not told.
   */
  get unread(): readonly number[] {
    return [...this.#inFlight.unread, ...this.#queue.unread];
  }

  /** How long the next move is expected to last. */
  get expectedMs(): number {
    return this.#durations.expectedMs(this.#expectedMoveMs);
  }

  perMinute(nowMs: number, sinceMs: number): number {
    return this.#pace.perMinute(nowMs, sinceMs);
  }

  isOver(seq: number): boolean {
    return !this.#queue.has(seq) && this.#inFlight.get(seq) === undefined;
  }

  /**
   * Whether all of the plan's moves below the number are over, and none is to have another turn.
   */
  isThrough(reach: number): boolean {
    return this.running === 0 && this.#queue.isThrough(reach);
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

  /** @returns how many that failed have another turn now */
  retryFailed(): number {
    const count = this.failed;
    this.#queue.beginRound(this.#tally.takeFailed());
    return count;
  }

  /**
   * Takes out of the queue what the limits allow to run now.
   * @param reach of the plan, only what is below this number
   */
  begin(nowMs: number, reach: number): Begun {
    const starts: Start[] = [];
    let rateMs = Infinity;
    while (starts.length < STARTS_AT_ONCE_MAX && !this.#inFlight.isFull && !this.#queue.isHeldBack(nowMs)) {
      if (this.#rate.nextAtMs() > nowMs) {
        rateMs = this.#rate.nextAtMs();
        break;
      }
      const turn = this.#next(nowMs, reach);
      if (turn.kind === 'none') break;
      if (turn.kind === 'start') starts.push(this.#start(turn, nowMs));
      else if (starts.length === 0) return turn;
      else break;
    }
    if (starts.length > 0) return { kind: 'start', starts };
    return { kind: 'none', untilMs: Math.min(rateMs, this.#queue.nextDueAtMs(nowMs)) };
  }

  /** The next turn that isn't left out. */
  #next(nowMs: number, reach: number): Exclude<Turn, { kind: 'skip' }> {
    for (;;) {
      const turn = this.#queue.take({
        nowMs,
        reach,
        judge: (item) => (this.skips.covers(item) ? 'skip' : this.#inFlight.hasRoomFor(item) ? 'start' : 'pass'),
      });
      if (turn.kind !== 'skip') return turn;
      this.#tally.add('skipped');
    }
  }

  #start({ ticket, item }: { readonly ticket: BatchTicket; readonly item: BatchItem }, nowMs: number): Start {
    const started = { ...ticket, starts: ticket.starts + 1 };
    const workflowId = childIdOf(this.#workflowId, item, started);
    this.#inFlight.add(started, item, { workflowId, nowMs });
    this.#rate.started(nowMs);
    return { item, workflowId };
  }

  named(seq: number, move: MoveId): void {
    this.#inFlight.named(seq, move);
  }

  /** @returns workflow ids of those that run and were not asked to stop before */
  askToCancel(): readonly string[] {
    return this.#inFlight.askToCancel();
  }

  /** @returns whether it failed for good */
  ended(
    seq: number,
    end: MoveEnd | undefined,
    more: { readonly nowMs: number; readonly mayTryAgain: boolean },
  ): boolean {
    const flight = this.#inFlight.remove(seq);
    if (flight === undefined) return false;
    if (end !== undefined) this.#pace.ended(more.nowMs);
    switch (end?.kind) {
      case undefined:
      case 'window-closed':
        this.#queue.comesAgain(flight.ticket, flight.item);
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
        return this.#hasFailed(flight, end, more);
    }
  }

  #hasFailed(
    { ticket: { failures, ...ticket }, item, move }: Flight,
    end: Extract<MoveEnd, { kind: 'failed' }>,
    { nowMs, mayTryAgain }: { readonly nowMs: number; readonly mayTryAgain: boolean },
  ): boolean {
    const tried = { ...ticket, failures: failures + 1 };
    const last = lastFailureOf(end);
    if (mayTryAgain && !end.stands && this.#queue.triesAgain(tried, last, item, nowMs)) return false;
    this.#tally.addFailed(tried, last, { item, move });
    return true;
  }

  /** What waits for another try has failed, and gets none. */
  giveUpRetries(): void {
    for (const { ticket, last, item } of this.#queue.giveUpRetries()) this.#tally.addFailed(ticket, last, { item });
  }
}
