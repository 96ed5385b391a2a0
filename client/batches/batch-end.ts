// How a batch's workflow ended, and its report: from the result, from a failure's detail, or only
// from the replica site.
import { CancelledFailure, TerminatedFailure, WorkflowFailedError } from '@temporalio/client';
import { z } from 'zod';
import { type BatchReport, batchReportSchema } from '../../contracts/batch.js';
import { MoverError } from '../../contracts/errors.js';
import { causeOf } from '../../control/cause.js';
import { findApplicationFailure, fromApplicationFailure } from '../temporal/failure.js';

export type BatchState = 'running' | BatchReport['outcome'] | 'cancelled' | 'terminated';

export interface BatchEnd {
  readonly state: Exclude<BatchState, 'running'>;
  readonly report?: BatchReport;
  /** Set when the batch was stopped, or failed before it had a plan. */
  readonly error?: MoverError;
}

/** The first detail of a failed batch's failure; the problem beside it is read elsewhere. */
const detailSchema = z.object({ report: batchReportSchema });

/** How the batch ended; undefined when the error says nothing about it. */
export function batchEndOf(error: unknown): BatchEnd | undefined {
  if (!(error instanceof WorkflowFailedError)) return undefined;
  if (error.cause instanceof CancelledFailure) return { state: 'cancelled' };
  if (error.cause instanceof TerminatedFailure) return { state: 'terminated' };
  const application = findApplicationFailure(error.cause);
  if (application === undefined)
    return {
      state: 'failed',
      error: new MoverError('INTERNAL', `The batch failed: ${causeOf(error)}.`, { cause: error }),
    };
  const detail = detailSchema.safeParse(application.details?.[0]);
  return {
    state: detail.success ? detail.data.report.outcome : 'failed',
    error: fromApplicationFailure(application),
    ...(detail.success ? { report: detail.data.report } : {}),
  };
}

/** How a batch ended that Temporal has dropped, by its report. */
export function batchEndOfReport(report: BatchReport): BatchEnd {
  const { outcome, summary } = report;
  return {
    state: outcome,
    report,
    ...(outcome === 'stopped' ? { error: new MoverError('BATCH_STOPPED', summary) } : {}),
  };
}
