// The runs of a batch's workflow: how long each one's history became.
import type { Client } from '@temporalio/client';
import { setTimeout as delay } from 'node:timers/promises';

/** The server lists what has ended a little later, ms. */
const LISTED_MS_MAX = 60_000;
const LOOK_EVERY_MS = 500;

export interface ParentRun {
  readonly events: number;
  readonly historyBytes: number;
}

/**
 * Of a workflow that has ended.
 * @param count how many there are, as the batch's report says
 * @throws Error when the server does not list them in 60 s
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
    await delay(LOOK_EVERY_MS);
  }
}
