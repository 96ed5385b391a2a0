// Batches on a live estate with a worker of its own, on the real Temporal server.
import {
  type WorkflowHandleWithFirstExecutionRunId,
  WorkflowFailedError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { randomUUID } from 'node:crypto';
import {
  type BatchCounts,
  batchIdSchema,
  type BatchInput,
  type BatchProgress,
  batchProgressSchema,
  type BatchReport,
  batchReportSchema,
} from '../../../contracts/batch.js';
import type { StoredMoveReport } from '../../../contracts/report.js';
import { anyAppliance } from '../../../control/ports.js';
import type { moveBatch } from '../../../workflows/index.js';
import { COSTLY_POLL_INTERVAL_MS, PATIENCE_MS, until } from '../../support/until.js';
import type { Moves } from './moves.js';

export type BatchHandle = WorkflowHandleWithFirstExecutionRunId<typeof moveBatch>;

export async function startBatch(
  moves: Moves,
  input: BatchInput,
  workflowId = `batch-${randomUUID().slice(0, 8)}`,
  memo: Record<string, unknown> = {},
): Promise<BatchHandle> {
  return await moves.client.workflow.start<typeof moveBatch>('moveBatch', {
    taskQueue: moves.taskQueue,
    workflowId,
    args: [input],
    memo,
    staticSummary: 'a batch of a test',
  });
}

export async function progressOf(handle: BatchHandle): Promise<BatchProgress> {
  // Of the newest run.
  return batchProgressSchema.parse(await handle.client.getHandle(handle.workflowId).query('progress'));
}

/** Waits until the batch is as wanted. */
export async function untilBatch(
  handle: BatchHandle,
  what: string,
  isSo: (progress: BatchProgress) => boolean,
): Promise<BatchProgress> {
  const look = async (): Promise<BatchProgress | undefined> => {
    const progress = await progressOf(handle);
    return isSo(progress) ? progress : undefined;
  };
  return until(what, PATIENCE_MS, look, COSTLY_POLL_INTERVAL_MS);
}

export async function untilCounts(handle: BatchHandle, isSo: (counts: BatchCounts) => boolean): Promise<BatchProgress> {
  return untilBatch(handle, 'counts as wanted', ({ counts }) => isSo(counts));
}

/** Asks as an operator does; the newest run answers. */
export async function ask(handle: BatchHandle, update: string, more: object = {}): Promise<string> {
  const { message } = await handle.client
    .getHandle(handle.workflowId)
    .executeUpdate<{ message: string }, [object]>(update, { args: [{ operator: 'ann', reason: 'a test', ...more }] });
  return message;
}

/** The sentence with which an update is refused. */
export async function refusalOf(asked: Promise<unknown>): Promise<string> {
  const error: unknown = await asked.catch((failure: unknown) => failure);
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof Error) return error.cause.message;
  throw error instanceof Error ? error : new Error('the update was not refused');
}

/** How a batch that does not succeed ends. */
export async function failureOf(handle: BatchHandle): Promise<Error> {
  const error: unknown = await handle.result().catch((failure: unknown) => failure);
  if (error instanceof WorkflowFailedError && error.cause instanceof Error) return error.cause;
  throw error instanceof Error ? error : new Error('the batch did not fail');
}

/** The report in the failure of a batch that was stopped. */
export function reportIn(failure: Error): BatchReport {
  if (!(failure instanceof ApplicationFailure)) throw failure;
  const detail = failure.details?.[0] as { readonly report?: unknown } | undefined;
  return batchReportSchema.parse(detail?.report);
}

export function batchIdOf(handle: BatchHandle): ReturnType<typeof batchIdSchema.parse> {
  return batchIdSchema.parse(`${handle.workflowId}@${handle.firstExecutionRunId}`);
}

export async function storedReportOf(moves: Moves, handle: BatchHandle): Promise<BatchReport> {
  const { calls } = portsOf(moves);
  return calls.batchReport({ batch: batchIdOf(handle) });
}

/** What its moves left at the replica site, in the batch's order. */
export async function moveReportsOf(moves: Moves, handle: BatchHandle): Promise<StoredMoveReport[]> {
  return anyAppliance(
    moves.live.world.ports(),
    async ({ calls }) => (await calls.reports({ batch: batchIdOf(handle) })).reports,
  );
}

function portsOf(moves: Moves) {
  const [port] = moves.live.world.ports().appliances.values();
  if (port === undefined) throw new Error('there is no appliance');
  return port;
}
