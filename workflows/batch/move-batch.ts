// The workflow of a batch: many moves under limits, in a window, with one report.
import { hidesNames } from '../shared/hidden-names.js';
import {
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  log,
  makeContinueAsNewFunc,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { CancelledFailure, defineSearchAttributeKey } from '@temporalio/common';
import type { BatchInput, BatchReport, BatchStage, ParsedBatchInput } from '../../contracts/batch.js';
import { batchSettingsSchema, type BatchSettings, type CarriedBatch } from '../../contracts/batch-run.js';
import { ERRORS, MoverError, toProblem } from '../../contracts/errors.js';
import { ID_LENGTH_MAX, type MoveId } from '../../contracts/ids.js';
import { keywordOf } from '../../contracts/search-attributes.js';
import { BatchCore } from './core/batch-core.js';
import { calls, listing, records } from './batch-activities.js';
import { handleRequests } from './batch-handlers.js';
import { continuedInput, parseBatchInput } from './batch-input.js';
import { batchReportOf, endingOf, NO_CHANGES, nothingToDo } from './core/batch-report.js';
import { BatchRunner } from './batch-runner.js';
import { moveIdOf } from '../../contracts/move-id.js';
import { SEARCH_KEYS } from '../../contracts/search-pairs.js';
import { codeOf, messageOf, workflowFailure } from '../shared/step-failure.js';

/**
 * Moves many volumes as the input's options say. Follow it with the query `progress`, steer it with
 * its updates. When cancelled it rolls back moves that are before their commit, stores its report
 * and ends as cancelled.
 * @param carried the state of an earlier run; people never pass it.
 * @returns the report, which lists failed moves.
 * @throws ApplicationFailure BATCH_STOPPED, with `{ report, problem }` as its detail, when the
 * failure policy stopped it, so that its schedule pauses; INVALID_REQUEST at once for an input that
 * is not accepted; the planning's own error when nothing could be planned.
 */
export async function moveBatch(...args: [input: BatchInput, carried?: CarriedBatch]): Promise<BatchReport> {
  const continued = continuedInput(args);
  const input = continued === undefined ? parseBatchInput(args) : undefined;
  const settings = continued?.settings ?? settingsOf(input);
  const { workflowId } = workflowInfo();
  const naming = hidesNames() ? 'numbered' : 'named';
  const batch =
    continued === undefined
      ? BatchCore.begin(settings.options, workflowId, currentBatchId(), Date.now(), naming)
      : new BatchCore(settings.options, workflowId, continued.carried, naming);
  return await new BatchRun(batch, settings, input).run();
}

/** One run of the workflow. */
class BatchRun {
  readonly #batch: BatchCore;
  readonly #settings: BatchSettings;
  /** The parsed input; only in the first run. */
  readonly #input: ParsedBatchInput | undefined;
  readonly #runner: BatchRunner;
  readonly #planning = new CancellationScope({ cancellable: true });
  #endStage: BatchStage | undefined;
  /** Whether Temporal cancelled this very run. */
  #isCancelled = false;

  constructor(batch: BatchCore, settings: BatchSettings, input: ParsedBatchInput | undefined) {
    this.#batch = batch;
    this.#settings = settings;
    this.#input = input;
    this.#runner = new BatchRunner(batch, settings);
  }

  async run(): Promise<BatchReport> {
    handleRequests({
      batch: this.#batch,
      isOver: () => this.#endStage !== undefined,
      progress: () => this.#batch.progress(Date.now(), this.#endStage),
      wake: () => this.#runner.wake(),
      stopPlanning: () => this.#planning.cancel(),
    });
    CancellationScope.current().cancelRequested.catch(() => this.#cancel());
    return CancellationScope.nonCancellable(async () => this.#work());
  }

  #cancel(): void {
    this.#isCancelled = true;
    // The end is being recorded already.
    if (this.#endStage !== undefined) return;
    this.#batch.end({ why: 'cancelled', running: 'roll-back', text: 'The batch was cancelled.' });
    this.#planning.cancel();
    this.#runner.wake();
  }

  async #work(): Promise<BatchReport> {
    if (this.#input !== undefined) {
      const early = await this.#begin(this.#input);
      if (early !== undefined) return early;
    }
    if ((await this.#runner.run()) === 'continue') {
      await this.#runner.settled();
      return await continueAsNew(this.#settings, this.#batch.carried());
    }
    return await this.#end();
  }

  /** Plans the batch. @returns the report of a batch that is over with that */
  async #begin(input: ParsedBatchInput): Promise<BatchReport | undefined> {
    upsertSearchAttributes([{ key: SEARCH_KEYS.BatchId, value: keywordOf(this.#batch.id) }]);
    this.#runner.show();
    const tooLate = lateness(input);
    if (tooLate !== undefined) return await this.#finish({ outcome: 'skipped-late', summary: tooLate });
    try {
      await this.#planning.run(async () => this.#plan(input));
    } catch (error) {
      if (this.#batch.stop !== undefined && isCancellation(error)) return undefined;
      throw await this.#failed(error);
    }
    return input.dryRun && this.#batch.stop === undefined ? await this.#dryRun(input) : undefined;
  }

  async #plan(input: ParsedBatchInput): Promise<void> {
    const { window, expectedMoveMs } = input.options;
    if (window !== undefined) {
      const open = await calls.windowOf(window, Date.now());
      const lengthMs = open.closesAtMs - open.opensAtMs;
      if (expectedMoveMs > lengthMs) {
        const message = `options.expectedMoveMs: a move is expected to last ${expectedMoveMs} ms, but the window is open for ${lengthMs} ms only`;
        throw ApplicationFailure.nonRetryable(message, 'INVALID_REQUEST');
      }
      this.#batch.opened(open);
    }
    const { moves, select, failedOf, to, map, options } = input;
    this.#batch.planned(
      await listing.planBatch({ batch: this.#batch.id, input: { moves, select, failedOf, to, map, options } }),
    );
  }

  async #dryRun({ options }: ParsedBatchInput): Promise<BatchReport | undefined> {
    try {
      const { looked, failed, failures } = await this.#planning.run(async () =>
        listing.dryRun({ batch: this.#batch.id, options: options.move }),
      );
      const { refused, ...counts } = this.#batch.counts();
      const summary = `Dry run, nothing was changed: ${looked - failed} of ${looked} moves could be made now; the plan refused ${refused} more.`;
      return await this.#finish(nothingToDo(this.#batch.counts()) ?? { outcome: 'dry-run', summary }, {
        ...NO_CHANGES,
        failures,
        counts: { ...counts, refused, waiting: looked - failed, failed },
      });
    } catch (error) {
      if (this.#batch.stop !== undefined && isCancellation(error)) return undefined;
      throw await this.#failed(error);
    }
  }

  async #end(): Promise<BatchReport> {
    const ending = endingOf(this.#batch);
    const report = await this.#finish(ending, await this.#selectionChanges());
    if (this.#batch.stop?.why === 'cancelled') throw await this.#cancelled(report);
    if (report.outcome !== 'stopped') return report;
    const message = `${report.summary} ${ERRORS.BATCH_STOPPED.action}`;
    throw ApplicationFailure.nonRetryable(message, 'BATCH_STOPPED', {
      report,
      problem: toProblem(new MoverError('BATCH_STOPPED', message)),
    });
  }

  /** Changes to the selection during the batch, as far as they can be found out now. */
  async #selectionChanges(): Promise<Pick<BatchReport, 'addedMeanwhile' | 'removedMeanwhile'>> {
    const { select, to, map } = this.#settings;
    if (select === undefined || this.#batch.plan === undefined) return NO_CHANGES;
    try {
      return await records.compareSelection({ batch: this.#batch.id, input: { select, to, map } });
    } catch (error) {
      log.warn('volumes that came or went during the batch could not be listed; the report names none', {
        batch: this.#batch.id,
        error,
      });
      return NO_CHANGES;
    }
  }

  /**
   * Only a run that was itself cancelled may end as cancelled, so a later run requests its own
   * cancellation.
   */
  async #cancelled({ summary }: BatchReport): Promise<CancelledFailure> {
    if (!this.#isCancelled) {
      await calls.cancelOwnWorkflow();
      await condition(() => this.#isCancelled);
    }
    return new CancelledFailure(summary);
  }

  async #failed(error: unknown): Promise<ApplicationFailure> {
    const code = codeOf(error) ?? 'INTERNAL';
    const message = `The batch could not be planned: ${messageOf(error)}`;
    const report = await this.#finish({ outcome: 'failed', summary: message });
    log.warn(message, { batch: this.#batch.id, code });
    return workflowFailure(error, message, { report }, { retryable: false });
  }

  /** Makes and stores the report. From here on nothing about the batch can be changed. */
  async #finish(
    ending: Pick<BatchReport, 'outcome' | 'summary'>,
    more?: Parameters<typeof batchReportOf>[4],
  ): Promise<BatchReport> {
    this.#endStage = ending.outcome === 'failed' || ending.outcome === 'stopped' ? 'failed' : 'done';
    await this.#runner.settled();
    const report = batchReportOf(this.#batch, this.#settings, ending, Date.now(), more);
    this.#runner.show(this.#endStage);
    upsertSearchAttributes([{ key: SEARCH_KEYS.Outcome, value: report.outcome }]);
    try {
      await records.storeBatchReport(report);
    } catch (error) {
      log.error(
        'the report of the batch could not be stored at the replica site; it is in the history of this workflow only',
        {
          batch: report.batch,
          error,
        },
      );
    }
    return report;
  }
}

async function continueAsNew(settings: BatchSettings, carried: CarriedBatch): Promise<never> {
  const { targetWorkerDeploymentVersionChanged } = workflowInfo();
  const next = makeContinueAsNewFunc<typeof moveBatch>(
    targetWorkerDeploymentVersionChanged ? { initialVersioningBehavior: 'AUTO_UPGRADE' } : {},
  );
  return next(settings, carried);
}

function settingsOf(input: ParsedBatchInput | undefined): BatchSettings {
  const { moves: _moves, ...settings } = input ?? {};
  return batchSettingsSchema.parse(settings);
}

const SCHEDULED_START = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME');

/** Why a scheduled batch is too late to run; undefined when it is not. */
function lateness({ options: { startWithinMs } }: ParsedBatchInput): string | undefined {
  const { typedSearchAttributes, startTime } = workflowInfo();
  const scheduled = typedSearchAttributes.get(SCHEDULED_START);
  if (startWithinMs === undefined || scheduled === undefined) return undefined;
  const lateMs = startTime.getTime() - scheduled.getTime();
  if (lateMs <= startWithinMs) return undefined;
  return `No move was started: the batch was scheduled for ${scheduled.toISOString()} and began ${lateMs} ms late, but options.startWithinMs allows ${startWithinMs} ms.`;
}

/** The longest suffix that a move's workflow id adds to the batch's: number, volume and try. */
const LONGEST_MOVE = `/1000000-${'v'.repeat(ID_LENGTH_MAX)}-again-1000-try-1000`;

/** @throws ApplicationFailure INVALID_REQUEST for a workflow id too long for the moves' ids */
function currentBatchId(): MoveId {
  const { workflowId, firstExecutionRunId } = workflowInfo();
  try {
    moveIdOf(workflowId + LONGEST_MOVE, firstExecutionRunId);
    return moveIdOf(workflowId, firstExecutionRunId);
  } catch (error) {
    if (!(error instanceof MoverError)) throw error;
    const message = `The workflow id is too long for a batch: the ids of its moves begin with it and add up to ${LONGEST_MOVE.length} characters. ${error.message}`;
    throw ApplicationFailure.nonRetryable(message, error.code, {
      problem: toProblem(new MoverError(error.code, message)),
    });
  }
}
