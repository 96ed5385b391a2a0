// The runs of a batch's workflow, and the length of each one's history.
import type { Client } from '@temporalio/client';
import { setTimeout as delay } from 'node:timers/promises';

/** Longest wait for the server to list ended runs, which it does with a delay, ms. */
const LISTED_MS_MAX = 60_000;
const CHECK_EVERY_MS = 500;

export interface ParentRun {
  readonly events: number;
  readonly historyBytes: number;
}

/**
 * The runs of a workflow that has ended.
 * @param count number of runs, from the batch's report
 * @throws Error when the server doesn't list them within 60 s
 */
export async function parentRunsOf({ workflow }: Client, workflowId: string, count: number): Promise<ParentRun[]> {
  const deadlineMs = performance.now() + LISTED_MS_MAX;
  for (;;) {
    const runs: ParentRun[] = [];
    const query = `WorkflowId = '${workflowId}' AND ExecutionStatus != 'Running'`;
    for await (const { historyLength, historySize } of workflow.list({ query }))
      runs.push({ events: historyLength, historyBytes: historySize ?? 0 });
    if (runs.length >= count) return runs;
    if (performance.now() > deadlineMs)
      throw new Error(`Temporal lists ${runs.length} of the ${count} ended runs of "${workflowId}".`);
    await delay(CHECK_EVERY_MS);
  }
}
