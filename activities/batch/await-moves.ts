// Waits for moves that an earlier run of a batch's workflow started. Temporal does not report their
// ends to the present run.
import { WorkflowNotFoundError, type WorkflowClient, type WorkflowExecutionDescription } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { BatchId } from '../../contracts/batch.js';
import type { AwaitedMove, MoveEnd } from '../../contracts/batch-run.js';
import { endOfFailure } from '../../contracts/move-end.js';
import type { ActivityRun } from '../run.js';

/** Workflows described at the same time. */
const AT_ONCE = 10;
/**
 * Pause between polls, ms. It starts short, since a move takes a second, and grows to five seconds
 * for long moves.
 */
const POLL_MS_MIN = 200;
const POLL_MS_MAX = 5_000;

export interface AwaitWork {
  readonly batch: BatchId;
  readonly workflowIds: readonly string[];
}

export interface AwaitHeartbeat {
  readonly waitingFor: number;
}

/** Waits without limit until at least one of the moves has ended, and returns all that have. */
export async function awaitMoves(
  client: WorkflowClient,
  { batch, workflowIds }: AwaitWork,
  run: ActivityRun<AwaitHeartbeat>,
): Promise<AwaitedMove[]> {
  for (let pauseMs = POLL_MS_MIN; ; pauseMs = Math.min(pauseMs * 2, POLL_MS_MAX)) {
    const ended: AwaitedMove[] = [];
    for (let at = 0; at < workflowIds.length; at += AT_ONCE) {
      run.signal?.throwIfAborted();
      const found = await Promise.all(
        workflowIds.slice(at, at + AT_ONCE).map(async (workflowId) => findEnd(client, batch, workflowId)),
      );
      ended.push(...found.flatMap((end) => end ?? []));
    }
    if (ended.length > 0 || workflowIds.length === 0) return ended;
    run.heartbeat({ waitingFor: workflowIds.length });
    await run.sleep(pauseMs);
  }
}

/** Asks each move to cancel. Ended ones are skipped. */
export async function cancelMoves(client: WorkflowClient, workflowIds: readonly string[]): Promise<void> {
  for (let at = 0; at < workflowIds.length; at += AT_ONCE) {
    await Promise.all(
      workflowIds.slice(at, at + AT_ONCE).map(async (workflowId) => {
        try {
          await client.getHandle(workflowId).cancel();
        } catch (error) {
          if (!(error instanceof WorkflowNotFoundError)) throw error;
        }
      }),
    );
  }
}

async function findEnd(client: WorkflowClient, batch: BatchId, workflowId: string): Promise<AwaitedMove | undefined> {
  try {
    const description = await client.getHandle(workflowId).describe();
    const { status, memo } = description;
    // False when the workflow id is used by a move of an earlier batch of this name, which is still
    // running.
    const isOurs = memo?.['batch'] === batch;
    if (status.name === 'RUNNING' || status.name === 'PAUSED') return undefined;
    if (!isOurs) return { workflowId, isLost: false };
    const firstRunId = description.raw.workflowExecutionInfo?.firstRunId ?? description.runId;
    const isLost = status.name === 'TERMINATED' || status.name === 'TIMED_OUT';
    return { workflowId, firstRunId, isLost, end: await endOf(client, description) };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { workflowId, isLost: false };
    throw error;
  }
}

async function endOf(client: WorkflowClient, description: WorkflowExecutionDescription): Promise<MoveEnd> {
  const { status, workflowId, runId, startTime, closeTime } = description;
  switch (status.name) {
    case 'COMPLETED':
      return { kind: 'moved', tookMs: Math.max(0, (closeTime ?? startTime).getTime() - startTime.getTime()) };
    case 'CANCELLED':
      return { kind: 'cancelled' };
    case 'TERMINATED':
      return { kind: 'failed', message: 'The workflow of the move was terminated.', stands: false };
    case 'TIMED_OUT':
      return { kind: 'failed', message: 'The workflow of the move timed out.', stands: false };
    default:
      return client
        .getHandle(workflowId, runId)
        .result()
        .then(
          (): MoveEnd => ({ kind: 'moved', tookMs: 0 }),
          (error: unknown) => endOfError(error),
        );
  }
}

function endOfError(error: unknown): MoveEnd {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof CancelledFailure) return { kind: 'cancelled' };
  if (cause instanceof ApplicationFailure) return endOfFailure(cause.type, cause.message, cause.details?.[0]);
  throw error;
}
