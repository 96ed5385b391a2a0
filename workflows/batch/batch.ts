// What a batch knows and decides, without Temporal: which move is next, when to wait and for what, and when it is over. Time comes in from
// outside; what it keeps is numbers, so that it stays small and goes from one run to the next as JSON.
import {
  BATCH_FAILURES_SHOWN_MAX,
  type BatchCounts,
  type BatchFailure,
  type BatchId,
  type BatchItem,
  type BatchOptions,
  type BatchProgress,
  type BatchStage,
  type Concurrency,
} from '../../contracts/batch.js';
import {
  BATCH_LOOK_AHEAD_MAX,
  BATCH_RETRIES_WAITING_MAX,
  BATCH_SKIPS_MAX,
  type BatchTicket,
  type CarriedBatch,
  type MoveEnd,
  type OpenWindow,
  type PlannedBatch,
  type Stop,
} from '../../contracts/batch-run.js';
import { ERRORS } from '../../contracts/errors.js';
import type { MoveId, VolumeId } from '../../contracts/ids.js';
import { Durations } from './durations.js';
import { childIdOf } from './child-id.js';
import { Occupancy } from './occupancy.js';
import { Pace } from './pace.js';
import { SeqSet } from './seq-set.js';
import { StartRate } from './start-rate.js';

/** Starts in one decision: between two of them the workflow looks at the length of its history. */
export const STARTS_AT_ONCE_MAX = 50;
/** Planned moves read at once. */
export const ITEMS_READ_MAX = 200;
/** Longest text kept of a failure, in characters; the stored report of the move has all of it. */
const FAILURE_TEXT_MAX = 300;
/** Moves shown as running longest. */
const LONGEST_SHOWN = 5;

/** No further try can help: the time given by `options.move.fenceByMs` stays over. */
const FENCE_BY_PASSED = {
  kind: 'failed',
  code: 'WINDOW_CLOSED',
  message: 'The time of options.move.fenceByMs was over before the fence.',
  stands: true,
} as const satisfies MoveEnd;

type Retry = CarriedBatch['retries'][number];

interface Flying extends BatchTicket {
  readonly workflowId: string;
  readonly startedAtMs: number;
  cancelAsked: boolean;
  move?: MoveId;
  /** Absent after a new run has begun until the plan is read. */
  item?: BatchItem;
}

/** A move to be started now; the batch counts it as running from then on. */
export interface Start {
  readonly item: BatchItem;
  readonly workflowId: string;
}

export type Decision =
  /** These moves of the plan must be known before anything else can be decided. */
  | { readonly kind: 'read'; readonly seqs: readonly number[] }
  | { readonly kind: 'start'; readonly starts: readonly Start[] }
  /** The window at, or next after, the time. */
  | { readonly kind: 'window'; readonly atMs: number }
  /** These moves are to be cancelled; asked for once. */
  | { readonly kind: 'cancel'; readonly workflowIds: readonly string[] }
  /** Until something happens, or the time. */
  | { readonly kind: 'wait'; readonly untilMs?: number }
  | { readonly kind: 'end' };

/** A limit in time on what comes next: nothing starts before it. */
type Gate = { readonly open: true } | { readonly open: false; readonly untilMs?: number } | { readonly ask: true };

export class Batch {
  readonly #options: BatchOptions;
  readonly #batch: BatchId;
  readonly #workflowId: string;
  readonly #startedAtMs: number;
  readonly #runs: number;
  #plan: PlannedBatch | undefined;
  #concurrency: Concurrency;
  /** The first move that nobody has looked at. */
  #cursor: number;
  #round: number;
  #moved: number;
  #there: number;
  #cancelled: number;
  #skipped: number;
  readonly #failed: SeqSet;
  /** Failed ones that somebody asked to be tried again. */
  readonly #again: SeqSet;
  #passed: BatchTicket[];
  #retries: Retry[];
  readonly #flying: Map<number, Flying>;
  readonly #skips: Set<VolumeId>;
  #failures: BatchFailure[];
  readonly #durations: Durations;
  readonly #rate: StartRate;
  readonly #pace: Pace;
  #pausedBy: string | undefined;
  #canary: CarriedBatch['canary'];
  #window: OpenWindow | undefined;
  #stop: Stop | undefined;
  #lastRequest: string | undefined;
  readonly #items = new Map<number, BatchItem>();
  readonly #occupancy = new Occupancy();

  /** @param workflowId of the batch: the moves' workflow ids begin with it */
  constructor(options: BatchOptions, workflowId: string, carried: CarriedBatch) {
    this.#options = options;
    this.#workflowId = workflowId;
    this.#batch = carried.batch;
    this.#startedAtMs = carried.startedAtMs;
    this.#runs = carried.runs;
    this.#plan = carried.plan;
    this.#concurrency = carried.concurrency;
    this.#cursor = carried.cursor;
    this.#round = carried.round;
    this.#moved = carried.moved;
    this.#there = carried.there;
    this.#cancelled = carried.cancelled;
    this.#skipped = carried.skipped;
    this.#failed = SeqSet.from(carried.failed);
    this.#again = SeqSet.from(carried.again);
    this.#passed = [...carried.passed];
    this.#retries = [...carried.retries];
    this.#flying = new Map(carried.flying.map((flying) => [flying.seq, { ...flying }]));
    this.#skips = new Set(carried.skips);
    this.#failures = [...carried.failures];
    this.#durations = Durations.from(carried.durations);
    this.#rate = new StartRate(options.startsPerSecond, carried.starts);
    this.#pace = new Pace(carried.ends);
    this.#pausedBy = carried.pausedBy;
    this.#canary = carried.canary;
    this.#window = carried.window;
    this.#stop = carried.stop;
    this.#lastRequest = carried.lastRequest;
  }

  /** A batch that has done nothing yet. */
  static begin(options: BatchOptions, workflowId: string, batch: BatchId, nowMs: number): Batch {
    return new Batch(options, workflowId, {
      batch,
      startedAtMs: nowMs,
      runs: 1,
      concurrency: options.concurrency,
      cursor: 0,
      round: 0,
      moved: 0,
      there: 0,
      cancelled: 0,
      skipped: 0,
      failed: [],
      again: [],
      passed: [],
      retries: [],
      flying: [],
      skips: [],
      failures: [],
      durations: [],
      starts: [],
      ends: [],
      canary: options.canary === undefined ? 'none' : 'running',
    });
  }

  /** For the next run of the workflow. */
  carried(): CarriedBatch {
    return {
      batch: this.#batch,
      startedAtMs: this.#startedAtMs,
      runs: this.#runs + 1,
      ...(this.#plan === undefined ? {} : { plan: this.#plan }),
      concurrency: this.#concurrency,
      cursor: this.#cursor,
      round: this.#round,
      moved: this.#moved,
      there: this.#there,
      cancelled: this.#cancelled,
      skipped: this.#skipped,
      failed: this.#failed.toJSON(),
      again: this.#again.toJSON(),
      passed: this.#passed,
      retries: this.#retries,
      flying: [...this.#flying.values()].map(
        ({ seq, round, starts, failures, workflowId, startedAtMs, cancelAsked }) => ({
          seq,
          round,
          starts,
          failures,
          workflowId,
          startedAtMs,
          cancelAsked,
        }),
      ),
      skips: [...this.#skips],
      failures: this.#failures,
      durations: this.#durations.toJSON(),
      starts: this.#rate.toJSON(),
      ends: this.#pace.toJSON(),
      ...(this.#pausedBy === undefined ? {} : { pausedBy: this.#pausedBy }),
      canary: this.#canary,
      ...(this.#window === undefined ? {} : { window: this.#window }),
      ...(this.#stop === undefined ? {} : { stop: this.#stop }),
      ...(this.#lastRequest === undefined ? {} : { lastRequest: this.#lastRequest }),
    };
  }

  get id(): BatchId {
    return this.#batch;
  }

  get runs(): number {
    return this.#runs;
  }

  get startedAtMs(): number {
    return this.#startedAtMs;
  }

  get plan(): PlannedBatch | undefined {
    return this.#plan;
  }

  get stop(): Stop | undefined {
    return this.#stop;
  }

  get window(): OpenWindow | undefined {
    return this.#window;
  }

  get failures(): readonly BatchFailure[] {
    return this.#failures;
  }

  get isPaused(): boolean {
    return this.#pausedBy !== undefined;
  }

  get canary(): CarriedBatch['canary'] {
    return this.#canary;
  }

  get skips(): number {
    return this.#skips.size;
  }

  /** Workflow ids of the moves that run. */
  get running(): readonly string[] {
    return [...this.#flying.values()].map(({ workflowId }) => workflowId);
  }

  seqOf(workflowId: string): number | undefined {
    return [...this.#flying.values()].find((flying) => flying.workflowId === workflowId)?.seq;
  }

  itemOf(seq: number): BatchItem | undefined {
    return this.#flying.get(seq)?.item ?? this.#items.get(seq);
  }

  isMoving(volume: VolumeId): boolean {
    return [...this.#flying.values()].some(({ item }) => item?.volumes.includes(volume) === true);
  }

  planned(plan: PlannedBatch): void {
    this.#plan = plan;
  }

  /** What was read of the plan. */
  provide(items: readonly BatchItem[]): void {
    for (const item of items) {
      const flying = this.#flying.get(item.seq);
      if (flying === undefined) this.#items.set(item.seq, item);
      else if (flying.item === undefined) {
        flying.item = item;
        this.#occupancy.enter(item);
      }
    }
  }

  opened(window: OpenWindow): void {
    this.#window = window;
  }

  /** The workflow of a move was begun: its move has a name. */
  began(seq: number, move: MoveId): void {
    const flying = this.#flying.get(seq);
    if (flying !== undefined) flying.move = move;
  }

  startedAtMsOf(seq: number): number | undefined {
    return this.#flying.get(seq)?.startedAtMs;
  }

  moveOf(seq: number): MoveId | undefined {
    return this.#flying.get(seq)?.move;
  }

  /**
   * A move that was running has ended. Its end may be told more than once: only the first one counts.
   * @param end undefined when its workflow does not exist: it was never begun, and its turn comes again.
   */
  ended(seq: number, end: MoveEnd | undefined, nowMs: number, lost?: MoveId): void {
    const flying = this.#flying.get(seq);
    if (flying === undefined) return;
    const { round, starts, failures, item } = flying;
    this.#flying.delete(seq);
    if (item !== undefined) this.#occupancy.leave(item);
    const ticket: BatchTicket = { seq, round, starts, failures };
    if (end === undefined) {
      this.#comesAgain(ticket, item);
      return;
    }
    this.#pace.ended(nowMs);
    switch (end.kind) {
      case 'moved':
        this.#moved += 1;
        this.#durations.add(end.tookMs);
        return;
      case 'there':
        this.#there += 1;
        return;
      case 'cancelled':
        this.#cancelled += 1;
        return;
      case 'window-closed':
        if (this.#isOwnFenceBy()) this.#comesAgain(ticket, item);
        else this.#tryFailed({ ...ticket, failures: failures + 1 }, FENCE_BY_PASSED, item, nowMs, flying.move);
        return;
      case 'failed':
        this.#tryFailed({ ...ticket, failures: failures + 1 }, end, item, nowMs, lost ?? flying.move);
    }
  }

  /** Whether it is this batch's window that its moves give up for, and not a time that the input gives. */
  #isOwnFenceBy(): boolean {
    const given = this.#options.move.fenceByMs ?? Infinity;
    return this.#window !== undefined && given >= this.#window.closesAtMs;
  }

  #comesAgain(ticket: BatchTicket, item: BatchItem | undefined): void {
    if (item !== undefined) this.#items.set(ticket.seq, item);
    this.#passed.push(ticket);
  }

  #tryFailed(
    ticket: BatchTicket,
    { code, message, stands }: Extract<MoveEnd, { kind: 'failed' }>,
    item: BatchItem | undefined,
    nowMs: number,
    move: MoveId | undefined,
  ): void {
    const { max, backoffMs } = this.#options.retries;
    const last = { ...(code === undefined ? {} : { code }), message: message.slice(0, FAILURE_TEXT_MAX) };
    if (!stands && ticket.failures <= max && this.#stop === undefined) {
      if (item !== undefined) this.#items.set(ticket.seq, item);
      // Doubles with each try; a failure is never forgotten for longer than a day.
      const pauseMs = Math.min(backoffMs * 2 ** (ticket.failures - 1), 24 * 3_600_000);
      this.#retries.push({ ...ticket, dueAtMs: nowMs + pauseMs, last });
      return;
    }
    this.#fail(ticket, last, item, move);
    this.#applyFailurePolicy();
  }

  #fail(ticket: BatchTicket, last: Retry['last'], item: BatchItem | undefined, move?: MoveId): void {
    this.#failed.add(ticket.seq);
    this.#items.delete(ticket.seq);
    if (this.#failures.length >= BATCH_FAILURES_SHOWN_MAX || item === undefined) return;
    this.#failures.push({
      seq: ticket.seq,
      volumes: item.volumes,
      to: item.to,
      ...(move === undefined ? {} : { move }),
      tries: ticket.failures,
      ...last,
      ...(last.code === undefined ? {} : { action: ERRORS[last.code].action }),
    });
  }

  #applyFailurePolicy(): void {
    const { failures } = this.#options;
    const failed = this.#failed.size;
    const planned = this.#plan?.planned ?? 0;
    switch (failures.policy) {
      case 'continue':
        return;
      case 'stop-now':
        this.end({
          why: 'failures',
          running: 'roll-back',
          text: 'A move failed, and the failure policy is to stop at once.',
        });
        return;
      case 'stop-after': {
        const { count, percent } = failures;
        const isOver = failed >= (count ?? Infinity) || (percent !== undefined && failed * 100 >= percent * planned);
        if (isOver)
          this.end({
            why: 'failures',
            running: 'finish',
            text: `${failed} of ${planned} moves failed, as many as the failure policy allows.`,
          });
      }
    }
  }

  /** Nothing starts any more. A later, stricter wish about the running ones counts too; the first reason stands, but for a cancellation. */
  end(stop: Stop): void {
    const { why, running, text } = this.#stop ?? stop;
    const isStricter = stop.running === 'roll-back' || running === 'roll-back';
    const isCancelled = stop.why === 'cancelled';
    this.#stop = {
      why: isCancelled ? stop.why : why,
      text: isCancelled ? stop.text : text,
      running: isStricter ? 'roll-back' : 'finish',
    };
    // What waited for another try has failed, and gets none.
    for (const { last, dueAtMs: _dueAtMs, ...ticket } of this.#retries)
      this.#fail(ticket, last, this.#items.get(ticket.seq));
    this.#retries = [];
  }

  pause(by: string): void {
    this.#pausedBy = by;
  }

  resume(): void {
    this.#pausedBy = undefined;
  }

  limit(concurrency: Concurrency): void {
    this.#concurrency = concurrency;
  }

  /** When the turn of the volume's move comes, it is left out. */
  skip(volume: VolumeId): void {
    this.#skips.add(volume);
  }

  /** Whether the move's turn is over already: a skip would come too late. */
  isOver(seq: number): boolean {
    const waits =
      seq >= this.#cursor ||
      this.#again.has(seq) ||
      this.#passed.some((ticket) => ticket.seq === seq) ||
      this.#retries.some((ticket) => ticket.seq === seq);
    return !waits && !this.#flying.has(seq);
  }

  hasRoomForSkips(): boolean {
    return this.#skips.size < BATCH_SKIPS_MAX;
  }

  /** All that failed so far get another turn. @returns how many */
  retryFailed(): number {
    const count = this.#failed.size;
    this.#round += 1;
    this.#again.take(this.#failed);
    this.#failures = [];
    if (this.#canary === 'waiting') this.#canary = 'running';
    return count;
  }

  approve(): void {
    this.#canary = 'passed';
  }

  requested(what: string): void {
    this.#lastRequest = what;
  }

  /** What to do now. What it says to start counts as running from then on. */
  decide(nowMs: number): Decision {
    const toCancel = this.#toCancel();
    if (toCancel.length > 0) return { kind: 'cancel', workflowIds: toCancel };
    const unread = [...this.#flying.values()].flatMap(({ seq, item }) => (item === undefined ? [seq] : []));
    if (unread.length > 0) return { kind: 'read', seqs: unread.slice(0, ITEMS_READ_MAX) };
    if (this.#plan === undefined) return this.#stop === undefined ? { kind: 'wait' } : { kind: 'end' };
    this.#lookAtCanary();
    if (this.#waiting() === 0 || this.#stop !== undefined)
      return this.#flying.size === 0 ? { kind: 'end' } : { kind: 'wait' };
    if (this.isPaused || this.#canary === 'waiting') return this.#waitForWindowEnd(nowMs);
    const gate = this.#windowGate(nowMs);
    if ('ask' in gate) return { kind: 'window', atMs: nowMs };
    if (this.#stop !== undefined) return this.decide(nowMs);
    if (!gate.open) return wait(gate.untilMs);
    return this.#next(nowMs);
  }

  #toCancel(): string[] {
    if (this.#stop?.running !== 'roll-back') return [];
    const asked = [...this.#flying.values()].filter(({ cancelAsked }) => !cancelAsked);
    for (const flying of asked) flying.cancelAsked = true;
    return asked.map(({ workflowId }) => workflowId);
  }

  /** While it is paused or waits for approval the window may end, which ends a batch that is not to wait for the next. */
  #waitForWindowEnd(nowMs: number): Decision {
    const { window, atWindowEnd } = this.#options;
    if (window === undefined || atWindowEnd === 'wait') return { kind: 'wait' };
    if (this.#window === undefined) return { kind: 'window', atMs: nowMs };
    if (nowMs < this.#window.closesAtMs) return wait(this.#window.closesAtMs);
    this.#endWindow();
    return this.decide(nowMs);
  }

  #windowGate(nowMs: number): Gate {
    const { window, atWindowEnd, expectedMoveMs } = this.#options;
    if (window === undefined) return { open: true };
    if (this.#window === undefined) return { ask: true };
    const { opensAtMs, closesAtMs } = this.#window;
    if (nowMs >= closesAtMs) {
      if (atWindowEnd === 'wait') return { ask: true };
      this.#endWindow();
      return { open: false };
    }
    const expectedMs = this.#durations.expectedMs(expectedMoveMs);
    if (expectedMs > closesAtMs - opensAtMs && this.#flying.size === 0) {
      this.end({
        why: 'window',
        running: 'finish',
        text: `A move is expected to last ${expectedMs} ms, longer than the window is open.`,
      });
      return { open: false };
    }
    if (nowMs < opensAtMs) return { open: false, untilMs: opensAtMs };
    if (nowMs + expectedMs <= closesAtMs) return { open: true };
    // Nothing more is expected to end in time; with nothing running, that can't change any more.
    if (atWindowEnd === 'finish' && this.#flying.size === 0) {
      this.#endWindow();
      return { open: false };
    }
    return { open: false, untilMs: closesAtMs };
  }

  #endWindow(): void {
    this.end({ why: 'window', running: 'finish', text: 'The maintenance window ended before all moves were made.' });
  }

  #lookAtCanary(): void {
    const { canary } = this.#options;
    if (canary === undefined || this.#canary !== 'running' || !this.#isCanaryOver(canary.count)) return;
    const planned = this.#plan?.planned ?? 0;
    if (canary.approval && planned > canary.count) {
      this.#canary = 'waiting';
      return;
    }
    this.#canary = 'passed';
    if (this.#failed.size === 0 || planned <= canary.count) return;
    this.end({
      why: 'canary',
      running: 'finish',
      text: `${this.#failed.size} of the first ${canary.count} moves failed.`,
    });
  }

  #isCanaryOver(count: number): boolean {
    const pending = this.#flying.size + this.#retries.length + this.#passed.length + this.#again.size;
    return pending === 0 && this.#cursor >= Math.min(count, this.#plan?.planned ?? 0);
  }

  /** The moves to start now, or what is to be known or awaited before. */
  #next(nowMs: number): Decision {
    const starts: Start[] = [];
    let untilMs: number | undefined;
    while (starts.length < STARTS_AT_ONCE_MAX && this.#occupancy.all < this.#concurrency.all) {
      if (this.#retries.length >= BATCH_RETRIES_WAITING_MAX && !this.#retries.some(({ dueAtMs }) => dueAtMs <= nowMs))
        break;
      if (this.#rate.nextAtMs() > nowMs) {
        untilMs = this.#rate.nextAtMs();
        break;
      }
      const found = this.#take(nowMs);
      if (found === undefined) break;
      if ('read' in found) {
        if (starts.length > 0) break;
        return { kind: 'read', seqs: found.read };
      }
      starts.push(this.#fly(found.ticket, found.item, nowMs));
    }
    if (starts.length > 0) return { kind: 'start', starts };
    // Skipped ones may have been the last.
    if (this.#waiting() === 0 || this.#canaryIsToBeLookedAt()) return this.decide(nowMs);
    const dueAtMs = Math.min(...this.#retries.map((retry) => retry.dueAtMs).filter((dueAtMs) => dueAtMs > nowMs));
    const closesAtMs = this.#options.window === undefined ? Infinity : (this.#window?.closesAtMs ?? Infinity);
    const nextMs = Math.min(untilMs ?? Infinity, dueAtMs, closesAtMs);
    return wait(Number.isFinite(nextMs) ? nextMs : undefined);
  }

  #canaryIsToBeLookedAt(): boolean {
    const { canary } = this.#options;
    return canary !== undefined && this.#canary === 'running' && this.#isCanaryOver(canary.count);
  }

  #fly(ticket: BatchTicket, item: BatchItem, nowMs: number): Start {
    const starts = ticket.starts + 1;
    const workflowId = childIdOf(this.#workflowId, item, { round: ticket.round, starts });
    this.#items.delete(item.seq);
    this.#flying.set(item.seq, { ...ticket, starts, workflowId, startedAtMs: nowMs, cancelAsked: false, item });
    this.#occupancy.enter(item);
    this.#rate.started(nowMs);
    return { item, workflowId };
  }

  /** The next one that no limit holds back: what is due again, then what was passed over, then what is new. */
  #take(nowMs: number): Taken | undefined {
    const due = this.#retries.filter(({ dueAtMs }) => dueAtMs <= nowMs);
    const known = [...due, ...this.#passed];
    const unread = known.filter(({ seq }) => !this.#items.has(seq)).map(({ seq }) => seq);
    if (unread.length > 0) return { read: unread.slice(0, ITEMS_READ_MAX) };
    for (const { seq, round, starts, failures } of known) {
      const item = this.#items.get(seq);
      if (item === undefined) continue;
      const isSkipped = this.#isSkipped(item);
      if (!isSkipped && !this.#occupancy.hasRoom(item, this.#concurrency)) continue;
      this.#retries = this.#retries.filter((retry) => retry.seq !== seq);
      this.#passed = this.#passed.filter((ticket) => ticket.seq !== seq);
      if (isSkipped) this.#drop(item);
      else return { ticket: { seq, round, starts, failures }, item };
    }
    return this.#takeNew();
  }

  #takeNew(): Taken | undefined {
    while (this.#passed.length < BATCH_LOOK_AHEAD_MAX && this.#retries.length < BATCH_RETRIES_WAITING_MAX) {
      const again = this.#again.first();
      const seq = again ?? this.#cursor;
      if (again === undefined && seq >= this.#freshEnd()) return undefined;
      const item = this.#items.get(seq);
      if (item === undefined) return { read: again === undefined ? this.#freshPage() : [seq] };
      if (again === undefined) this.#cursor += 1;
      else this.#again.delete(seq);
      const ticket: BatchTicket = { seq, round: again === undefined ? 0 : this.#round, starts: 0, failures: 0 };
      if (this.#isSkipped(item)) this.#drop(item);
      else if (this.#occupancy.hasRoom(item, this.#concurrency)) return { ticket, item };
      else this.#passed.push(ticket);
    }
    return undefined;
  }

  /** Before the canary is approved only its moves are new. */
  #freshEnd(): number {
    const planned = this.#plan?.planned ?? 0;
    const { canary } = this.#options;
    return canary === undefined || this.#canary !== 'running' ? planned : Math.min(planned, canary.count);
  }

  #freshPage(): number[] {
    const count = Math.min(ITEMS_READ_MAX, this.#freshEnd() - this.#cursor);
    return Array.from({ length: count }, (_, i) => this.#cursor + i);
  }

  #isSkipped({ volumes }: BatchItem): boolean {
    return volumes.some((volume) => this.#skips.has(volume));
  }

  #drop({ seq }: BatchItem): void {
    this.#skipped += 1;
    this.#items.delete(seq);
  }

  #waiting(): number {
    const over = this.#moved + this.#there + this.#cancelled + this.#skipped + this.#failed.size;
    return (this.#plan?.planned ?? 0) - over - this.#flying.size;
  }

  counts(): BatchCounts {
    return {
      planned: this.#plan?.planned ?? 0,
      waiting: this.#waiting(),
      running: this.#flying.size,
      moved: this.#moved,
      failed: this.#failed.size,
      cancelled: this.#cancelled,
      alreadyThere: (this.#plan?.alreadyThere ?? 0) + this.#there,
      skipped: this.#skipped,
      refused: this.#plan?.refused ?? 0,
    };
  }

  stage(nowMs: number): BatchStage {
    if (this.#stop !== undefined) return 'stopping';
    if (this.#plan === undefined) return 'planning';
    if (this.isPaused) return 'paused';
    if (this.#canary === 'waiting') return 'waiting-for-approval';
    const { window } = this.#options;
    const isOutside =
      this.#window !== undefined && (nowMs < this.#window.opensAtMs || nowMs >= this.#window.closesAtMs);
    if (window !== undefined && isOutside && this.#flying.size === 0) return 'waiting-for-window';
    return this.#canary === 'running' ? 'canary' : 'running';
  }

  progress(nowMs: number, stage: BatchStage = this.stage(nowMs)): BatchProgress {
    const counts = this.counts();
    const perMinute = this.#pace.perMinute(nowMs, this.#startedAtMs);
    const left = counts.waiting + counts.running;
    const isKnown = this.#plan !== undefined && perMinute > 0 && left > 0 && this.#stop === undefined;
    const longest = [...this.#flying.values()]
      .flatMap(({ item, startedAtMs }) =>
        item === undefined ? [] : [{ volumes: item.volumes, to: item.to, sinceMs: startedAtMs }],
      )
      .sort((a, b) => a.sinceMs - b.sinceMs)
      .slice(0, LONGEST_SHOWN);
    return {
      batch: this.#batch,
      stage,
      counts,
      concurrency: this.#concurrency,
      startedAtMs: this.#startedAtMs,
      perMinute,
      ...(isKnown ? { expectedEndMs: nowMs + Math.ceil((left / perMinute) * 60_000) } : {}),
      longest,
      failures: [...this.#failures],
      ...(this.#lastRequest === undefined ? {} : { lastRequest: this.#lastRequest }),
      ...(this.#window === undefined ? {} : { window: this.#window }),
    };
  }
}

type Taken = { readonly read: readonly number[] } | { readonly ticket: BatchTicket; readonly item: BatchItem };

function wait(untilMs: number | undefined): Decision {
  return untilMs === undefined ? { kind: 'wait' } : { kind: 'wait', untilMs };
}
