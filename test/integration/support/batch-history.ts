// The histories of a batch: one for each of its runs.
import { tsToMs } from '@temporalio/common/lib/time.js';
import { Worker } from '@temporalio/worker';
import { inject } from 'vitest';
import type { BatchHandle } from './batches.js';
import type { HistoryEvent, Moves } from './moves.js';

type History = Awaited<ReturnType<BatchHandle['fetchHistory']>>;

/** The histories of every run of the batch, the first one first. */
export async function runsOf({ client }: Moves, handle: BatchHandle): Promise<History[]> {
  const runs: History[] = [];
  let runId: string | undefined = handle.firstExecutionRunId;
  while (runId !== undefined) {
    const history = await client.workflow.getHandle(handle.workflowId, runId).fetchHistory();
    runs.push(history);
    runId = history.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
  }
  return runs;
}

/** What goes wrong when each history runs through the code once more. */
export async function replayed(workflowId: string, histories: readonly History[]): Promise<unknown[]> {
  const errors: unknown[] = [];
  const results = Worker.runReplayHistories(
    { workflowBundle: { codePath: inject('workflowBundlePath') } },
    histories.map((history) => ({ workflowId, history })),
  );
  for await (const { error } of results) errors.push(error);
  return errors;
}

type ChildStart = NonNullable<HistoryEvent['startChildWorkflowExecutionInitiatedEventAttributes']>;

/**
 * The moves that a run has begun, as it asked for them, and what its own clock said then: the time
 * at which the server began its task, whenever that was answered.
 */
export function startsIn(
  events: readonly HistoryEvent[],
): { readonly decidedAtMs: number; readonly start: ChildStart; readonly input: unknown }[] {
  let decidedAtMs = 0;
  return events.flatMap((event) => {
    if (event.workflowTaskStartedEventAttributes) decidedAtMs = tsToMs(event.eventTime);
    const start = event.startChildWorkflowExecutionInitiatedEventAttributes;
    if (!start) return [];
    const input = JSON.parse(Buffer.from(start.input?.payloads?.[0]?.data ?? []).toString()) as unknown;
    return [{ decidedAtMs, start, input }];
  });
}
