// A batch's state and decisions, without Temporal: which move is next, what to wait for, and when
// it is over. The caller passes the time. State holds numbers instead of volumes, so it stays small
// and moves from run to run as JSON.
import type { Naming } from './child-id.js';
import type {
  BatchCounts,
  BatchFailure,
  BatchId,
  BatchItem,
  BatchOptions,
  BatchProgress,
  BatchStage,
  Concurrency,
} from '../../../contracts/batch.js';
import type { CarriedBatch, MoveEnd, OpenWindow, PlannedBatch, Stop } from '../../../contracts/batch-run.js';
import type { MoveId } from '../../../contracts/ids.js';
import { Canary, type CanaryState } from './canary.js';
import { type Decision, ITEMS_READ_MAX, waitUntil } from './decision.js';
import { stopForFailures } from './failure-policy.js';
import { firstRunOf } from './first-run.js';
import type { InFlightView } from './in-flight.js';
import { Moves } from './moves.js';
import type { Skips } from './skips.js';
import { stopOf } from './stop.js';
import { type Gate, WindowGate } from './window-gate.js';

/**
 * The end of a move that was too late for `options.move.fenceByMs`, not for the window's end. It
 * counts as failed, and no retry can help.
 */
const FENCE_BY_PASSED = {
  kind: 'failed',
  code: 'WINDOW_CLOSED',
  message:
    'The move raised no fence: the time given by options.move.fenceByMs is past. Its volumes stay where they were.',
  stands: true,
} as const satisfies MoveEnd;

export class BatchCore {
  readonly id: BatchId;
  readonly startedAtMs: number;
  /** Runs of the workflow so far, including this one. */
  readonly runs: number;
  readonly #options: BatchOptions;
  readonly #moves: Moves;
  readonly #canary: Canary;
  readonly #window: WindowGate;
  #pausedBy: string | undefined;
  #stop: Stop | undefined;
  #lastRequest: string | undefined;

  /** @param workflowId the batch's: it prefixes the moves' workflow ids */
  constructor(options: BatchOptions, workflowId: string, carried: CarriedBatch, naming: Naming = 'named') {
    this.id = carried.batch;
    this.startedAtMs = carried.startedAtMs;
    this.runs = carried.runs;
    this.#options = options;
    this.#moves = new Moves(options, workflowId, carried, naming);
    this.#canary = new Canary(options.canary, carried.canary);
    this.#window = new WindowGate(options, carried.window);
    this.#pausedBy = carried.pausedBy;
    this.#stop = carried.stop;
    this.#lastRequest = carried.lastRequest;
  }

  /** Makes a batch that has done nothing yet. */
  static begin(
    options: BatchOptions,
    workflowId: string,
    batch: BatchId,
    nowMs: number,
    naming: Naming = 'named',
  ): BatchCore {
    return new BatchCore(options, workflowId, firstRunOf(options, batch, nowMs), naming);
  }

  /** The state for the next run of the workflow. */
  carried(): CarriedBatch {
    return {
      batch: this.id,
      startedAtMs: this.startedAtMs,
      runs: this.runs + 1,
      ...this.#moves.carried(),
      ...(this.#pausedBy === undefined ? {} : { pausedBy: this.#pausedBy }),
      canary: this.#canary.state,
      ...(this.window === undefined ? {} : { window: this.window }),
      ...(this.#stop === undefined ? {} : { stop: this.#stop }),
      ...(this.#lastRequest === undefined ? {} : { lastRequest: this.#lastRequest }),
    };
  }

  get plan(): PlannedBatch | undefined {
    return this.#moves.plan;
  }

  get stop(): Stop | undefined {
    return this.#stop;
  }

  /** The window last learned. */
  get window(): OpenWindow | undefined {
    return this.#window.window;
  }

  get isPaused(): boolean {
    return this.#pausedBy !== undefined;
  }

  get canary(): CanaryState {
    return this.#canary.state;
  }

  get failures(): readonly BatchFailure[] {
    return this.#moves.failures;
  }

  get inFlight(): InFlightView {
    return this.#moves.inFlight;
  }

  /** Volumes whose moves are left out when their turn comes. */
  get skips(): Skips {
    return this.#moves.skips;
  }

  /** Whether the move is over already, so that a skip comes too late. */
  isOver(seq: number): boolean {
    return this.#moves.isOver(seq);
  }

  planned(plan: PlannedBatch): void {
    this.#moves.plans(plan);
  }

  /** Takes items read from the plan. */
  provide(items: readonly BatchItem[]): void {
    this.#moves.provide(items);
  }

  opened(window: OpenWindow): void {
    this.#window.opened(window);
  }

  /** Records the move id once a running move's workflow is known. */
  named(seq: number, move: MoveId): void {
    this.#moves.named(seq, move);
  }

  /**
   * Records the end of a running move. Only the first report of an end counts.
   * @param end undefined when the workflow does not exist: it never started, so the move is queued
   * again
   */
  ended(seq: number, end: MoveEnd | undefined, nowMs: number): void {
    const hasMissedFence = end?.kind === 'window-closed' && !this.#window.isFenceBy(this.#options.move.fenceByMs);
    const mayRetry = this.#stop === undefined;
    const hasFailed = this.#moves.ended(seq, hasMissedFence ? FENCE_BY_PASSED : end, { nowMs, mayRetry });
    if (!hasFailed) return;
    const stop = stopForFailures(this.#options.failures, this.#moves);
    if (stop !== undefined) this.end(stop);
  }

  /** Stops further starts. May be called again: see {@link stopOf}. */
  end(stop: Stop): void {
    this.#stop = stopOf(this.#stop, stop);
  }

  pause(by: string): void {
    this.#pausedBy = by;
  }

  resume(): void {
    this.#pausedBy = undefined;
  }

  limit(concurrency: Concurrency): void {
    this.#moves.limit(concurrency);
  }

  /** Queues all failed moves again. @returns how many */
  retryFailed(): number {
    this.#canary.reopen();
    return this.#moves.retryFailed();
  }

  approve(): void {
    this.#canary.approve();
  }

  requested(what: string): void {
    this.#lastRequest = what;
  }

  /** What to do now. The starts it returns count as running from then on. */
  decide(nowMs: number): Decision {
    const toCancel = this.#stop?.running === 'roll-back' ? this.#moves.requestCancellation() : [];
    if (toCancel.length > 0) return { kind: 'cancel', workflowIds: toCancel };
    const { unread } = this.#moves;
    if (unread.length > 0) return { kind: 'read', seqs: unread.slice(0, ITEMS_READ_MAX) };
    if (this.plan === undefined) return this.#stop === undefined ? { kind: 'wait' } : { kind: 'end' };
    if (this.#isCanaryOver) this.#endCanary();
    if (this.#stop !== undefined) this.#moves.failRetries();
    if (this.#moves.waiting === 0 || this.#stop !== undefined)
      return this.#moves.running === 0 ? { kind: 'end' } : { kind: 'wait' };
    const gate = this.#gateAt(nowMs);
    switch (gate.kind) {
      case 'ask':
        return { kind: 'window', atMs: nowMs };
      case 'over':
        this.end({ why: 'window', running: 'finish', text: gate.text });
        return this.decide(nowMs);
      case 'closed':
        return waitUntil(gate.untilMs);
      case 'open':
        return this.#begin(nowMs);
    }
  }

  #gateAt(nowMs: number): Gate {
    if (this.isPaused || this.canary === 'waiting') return this.#window.gateWhileHeld(nowMs);
    return this.#window.gateAt(nowMs, { expectedMs: this.#moves.expectedMs, isIdle: this.#moves.running === 0 });
  }

  #begin(nowMs: number): Decision {
    const begun = this.#moves.begin(nowMs, this.#canary.startable(this.#moves.planned));
    if (begun.kind !== 'none') return begun;
    // The moves just skipped may have been the last.
    if (this.#moves.waiting === 0 || this.#isCanaryOver) return this.decide(nowMs);
    return waitUntil(Math.min(begun.untilMs, this.#window.closesAtMs));
  }

  get #isCanaryOver(): boolean {
    return this.canary === 'running' && this.#moves.isDone(this.#canary.startable(this.#moves.planned));
  }

  #endCanary(): void {
    const stop = this.#canary.ended(this.#moves);
    if (stop !== undefined) this.end(stop);
  }

  counts(): BatchCounts {
    return this.#moves.counts();
  }

  stage(nowMs: number): BatchStage {
    if (this.#stop !== undefined) return 'stopping';
    if (this.plan === undefined) return 'planning';
    if (this.isPaused) return 'paused';
    if (this.canary === 'waiting') return 'waiting-for-approval';
    if (this.#window.isOutside(nowMs) && this.#moves.running === 0) return 'waiting-for-window';
    return this.canary === 'running' ? 'canary' : 'running';
  }

  /**
   * When the last move is expected to end. Unknown while the batch waits for something, since
   * nobody knows for how long, and beyond the end of its window.
   */
  #expectedEndMs(nowMs: number, stage: BatchStage, perMinute: number): number | undefined {
    const { waiting, running } = this.counts();
    const left = waiting + running;
    if (stage !== 'running' || perMinute === 0 || left === 0) return undefined;
    const endMs = nowMs + Math.ceil((left / perMinute) * 60_000);
    return endMs > this.#window.closesAtMs ? undefined : endMs;
  }

  progress(nowMs: number, stage: BatchStage = this.stage(nowMs)): BatchProgress {
    const counts = this.counts();
    const perMinute = this.#moves.perMinute(nowMs, this.startedAtMs);
    const expectedEndMs = this.#expectedEndMs(nowMs, stage, perMinute);
    return {
      batch: this.id,
      stage,
      counts,
      concurrency: this.inFlight.limits,
      startedAtMs: this.startedAtMs,
      perMinute,
      ...(expectedEndMs === undefined ? {} : { expectedEndMs }),
      longest: this.inFlight.longest,
      failures: [...this.failures],
      ...(this.#lastRequest === undefined ? {} : { lastRequest: this.#lastRequest }),
      ...(this.window === undefined ? {} : { window: this.window }),
    };
  }
}
