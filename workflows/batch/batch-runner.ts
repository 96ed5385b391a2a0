// Runs a batch on Temporal: carries out the core's decisions and reports events to it. Moves are
// children that outlive any run of this workflow. Temporal reports a child's end only to the run
// that started it, so an activity waits for the children of earlier runs.
import {
  allHandlersFinished,
  CancellationScope,
  ChildWorkflowFailure,
  condition,
  log,
  setCurrentDetails,
  sleep,
  startChild,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import {
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import type { BatchStage } from '../../contracts/batch.js';
import { type AwaitedMove, type BatchSettings, BATCH_RUN_EVENTS_MAX, type MoveEnd } from '../../contracts/batch-run.js';
import { MoverError, toProblem } from '../../contracts/errors.js';
import { endOfFailure } from '../../contracts/move-end.js';
import type { MoveInput } from '../../contracts/move.js';
import { summaryLine } from '../../contracts/summary-line.js';
import { moveIdOf } from '../../contracts/move-id.js';
import type { moveVolume } from '../move/move-volume.js';
import { attributesAtStart, fromGroupAttribute, HIDDEN_MEMO, SEARCH_KEYS } from '../../contracts/search-pairs.js';
import { hidesNames, settable } from '../shared/hidden-names.js';
import { namesOf } from '../shared/step-summaries.js';
import type { BatchCore } from './core/batch-core.js';
import { calls, records, waits } from './batch-activities.js';
import { batchDetailsOf } from './batch-details.js';
import type { Decision, Start } from './core/decision.js';

/**
 * Priority of a batch's moves (1 is the most urgent of 5, 3 the default). It puts them behind every
 * move that a person waits for; see `FENCED_AHEAD` of the steps' policies.
 */
const PRIORITY_KEY = 5;
/**
 * Events below which a run never continues as new, whatever the server suggests. Otherwise a batch
 * would make no progress.
 */
const RUN_EVENTS_MIN = 30;

export class BatchRunner {
  readonly #batch: BatchCore;
  readonly #settings: BatchSettings;
  #changed = false;
  /** The one timer. A wait for a later time starts its timer only when this one has fired. */
  #timer: { readonly atMs: number; readonly scope: CancellationScope } | undefined;
  /** Reports now being stored for moves that could store none. */
  #storing = 0;
  #stage: BatchStage | undefined;

  constructor(batch: BatchCore, settings: BatchSettings) {
    this.#batch = batch;
    this.#settings = settings;
  }

  /** Makes the runner decide again, because something has changed. */
  wake(): void {
    this.#changed = true;
  }

  /** Runs the batch until it is over or the run's history is long enough. */
  async run(): Promise<'over' | 'continue'> {
    const inherited = this.#batch.inFlight.workflowIds;
    let isReconciling = false;
    for (;;) {
      this.#changed = false;
      // Check this before deciding: a decision counts as carried out.
      if (isLongEnough(this.#batch)) return 'continue';
      const decision = this.#batch.decide(Date.now());
      this.show();
      if (decision.kind === 'end') return 'over';
      if (decision.kind !== 'cancel' && decision.kind !== 'read' && !isReconciling) {
        isReconciling = true;
        this.#reconcile(inherited);
      }
      await this.#do(decision);
    }
  }

  /** Waits until only durable work is under way, so that this run may end. */
  async settled(): Promise<void> {
    await condition(() => allHandlersFinished() && this.#storing === 0);
  }

  /** Shows the stage in the UI's current details and as the search attribute. */
  show(stage?: BatchStage): void {
    const nowMs = Date.now();
    const progress = this.#batch.progress(nowMs, stage);
    setCurrentDetails(batchDetailsOf(progress, nowMs));
    if (this.#stage === progress.stage) return;
    this.#stage = progress.stage;
    upsertSearchAttributes([{ key: SEARCH_KEYS.Stage, value: progress.stage }]);
    log.info(`batch: ${progress.stage}`, { batch: progress.batch });
  }

  async #do(decision: Exclude<Decision, { kind: 'end' }>): Promise<void> {
    const { id } = this.#batch;
    switch (decision.kind) {
      case 'read':
        this.#batch.provide(await calls.readPlan({ batch: id, seqs: decision.seqs }));
        return;
      case 'window': {
        const { window } = this.#settings.options;
        if (window !== undefined) this.#batch.opened(await calls.windowOf(window, decision.atMs));
        return;
      }
      case 'cancel':
        await calls.cancelMoves(decision.workflowIds);
        return;
      case 'start':
        await Promise.all(decision.starts.map(async (start) => this.#start(start)));
        return;
      case 'wait':
        if (decision.untilMs !== undefined) this.#wakeAt(decision.untilMs);
        await condition(() => this.#changed);
    }
  }

  #wakeAt(atMs: number): void {
    if (this.#timer !== undefined && this.#timer.atMs <= atMs) return;
    this.#timer?.scope.cancel();
    const scope = new CancellationScope({ cancellable: true });
    const timer = { atMs, scope };
    this.#timer = timer;
    scope
      .run(async () => {
        await sleep(Math.max(1, atMs - Date.now()));
        if (this.#timer === timer) this.#timer = undefined;
        this.wake();
      })
      .catch(() => undefined);
  }

  /** Starts a move. Returns when the server has accepted it; `#awaitChild` reports its end. */
  async #start({ item, workflowId }: Start): Promise<void> {
    const { seq } = item;
    const input = this.#inputOf(item);
    const { firstExecutionRunId } = workflowInfo();
    try {
      const child = await startChild<typeof moveVolume>('moveVolume', {
        workflowId,
        args: [input],
        parentClosePolicy: 'ABANDON',
        memo: { batch: this.#batch.id, seq, ...(hidesNames() ? { [HIDDEN_MEMO]: true } : {}) },
        staticSummary: summaryLine(`Move ${namesOf(item.volumes)} to ${item.to} (${seq} of its batch)`),
        typedSearchAttributes: settable([...attributesAtStart(input), fromGroupAttribute(item.from)]),
        // The run's id differs between batches and is short enough for a fairness key.
        priority: { priorityKey: PRIORITY_KEY, fairnessKey: firstExecutionRunId },
      });
      this.#batch.named(seq, moveIdOf(workflowId, child.firstExecutionRunId));
      this.#awaitChild(seq, child.result());
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) this.#reconcile([workflowId]);
      else {
        const message = `The move could not be started: ${messageOf(error)}`;
        this.#settle(seq, { end: { kind: 'failed', message, stands: false }, isLost: false });
      }
    }
  }

  #inputOf({ seq, volumes, from, to }: Start['item']): MoveInput {
    const { options, operator, reason } = this.#settings;
    const closesAtMs = this.#batch.window?.closesAtMs;
    const fenceByMs = Math.min(options.move.fenceByMs ?? Infinity, closesAtMs ?? Infinity);
    return {
      volumes: [...volumes],
      from,
      to,
      ...(operator === undefined ? {} : { operator }),
      ...(reason === undefined ? {} : { reason }),
      ...(options.verify ? { verify: true } : {}),
      // A move by hand must not make a nightly batch fail.
      queue: true,
      batch: { batch: this.#batch.id, seq },
      options: { ...options.move, ...(Number.isFinite(fenceByMs) ? { fenceByMs } : {}) },
    };
  }

  #awaitChild(seq: number, result: Promise<unknown>): void {
    const startedAtMs = Date.now();
    result.then(
      () => this.#settle(seq, { end: { kind: 'moved', tookMs: Date.now() - startedAtMs }, isLost: false }),
      (error: unknown) => {
        const cause = error instanceof ChildWorkflowFailure ? error.cause : error;
        const isLost = cause instanceof TerminatedFailure || cause instanceof TimeoutFailure;
        this.#settle(seq, { end: endOf(cause), isLost });
      },
    );
  }

  #reconcile(workflowIds: readonly string[]): void {
    if (workflowIds.length > 0) void this.#awaitEnds(workflowIds);
  }

  async #awaitEnds(workflowIds: readonly string[]): Promise<void> {
    const left = new Set(workflowIds);
    while (left.size > 0) {
      const ended = await waits.awaitMoves({ batch: this.#batch.id, workflowIds: [...left] });
      for (const move of ended) {
        left.delete(move.workflowId);
        const seq = this.#batch.inFlight.seqOf(move.workflowId);
        if (seq === undefined) continue;
        if (move.firstRunId !== undefined) this.#batch.named(seq, moveIdOf(move.workflowId, move.firstRunId));
        this.#settle(seq, move);
      }
    }
  }

  #settle(seq: number, { end, isLost }: Pick<AwaitedMove, 'end' | 'isLost'>): void {
    if (end?.kind === 'failed' && isLost) this.#storeLost(seq, end.message);
    this.#batch.ended(seq, end, Date.now());
    this.wake();
  }

  /** Stores the report of a terminated move, which left none. */
  #storeLost(seq: number, message: string): void {
    const { item, startedAtMs, move } = this.#batch.inFlight.get(seq) ?? {};
    if (item === undefined || startedAtMs === undefined || move === undefined) return;
    const { operator, reason } = this.#settings;
    this.#storing += 1;
    records
      .storeLostMove({
        move,
        outcome: 'failed',
        volumes: item.volumes,
        from: item.from,
        to: item.to,
        startedAtMs,
        endedAtMs: Date.now(),
        ...(operator === undefined ? {} : { operator }),
        ...(reason === undefined ? {} : { reason }),
        batch: this.#batch.id,
        seq,
        problem: toProblem(new MoverError('INTERNAL', message)),
      })
      .catch((error: unknown) =>
        log.warn('the report of a move without a workflow could not be stored at the replica site', { move, error }),
      )
      .finally(() => {
        this.#storing -= 1;
      });
  }
}

/** Whether to continue as new: the history is long, or a newer version of the code is deployed. */
function isLongEnough(batch: BatchCore): boolean {
  const { historyLength, continueAsNewSuggested, targetWorkerDeploymentVersionChanged } = workflowInfo();
  const eventsMax = batch.plan?.runEventsMax ?? BATCH_RUN_EVENTS_MAX;
  if (historyLength >= eventsMax) return true;
  return historyLength >= RUN_EVENTS_MIN && (continueAsNewSuggested || targetWorkerDeploymentVersionChanged);
}

/** Translates a child's end. @param cause the cause of the child's failure */
function endOf(cause: unknown): MoveEnd {
  if (cause instanceof CancelledFailure) return { kind: 'cancelled' };
  if (cause instanceof ApplicationFailure) return endOfFailure(cause.type, cause.message, cause.details?.[0]);
  if (cause instanceof TerminatedFailure)
    return { kind: 'failed', message: 'The workflow of the move was terminated.', stands: false };
  if (cause instanceof TimeoutFailure)
    return { kind: 'failed', message: 'The workflow of the move timed out.', stands: false };
  return { kind: 'failed', message: messageOf(cause), stands: false };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
