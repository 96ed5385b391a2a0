// A run of a workflow as Temporal describes it, and what it tells of its progress: the same for
// moves and batches.
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import type { z } from 'zod';

const PROGRESS_QUERY = 'progress';
/**
 * Longest wait for a query's answer, ms: without a worker none comes, and the description has to
 * do.
 */
const QUERY_TIMEOUT_MS = 2_000;

export interface DescribedRun {
  readonly workflowId: string;
  readonly firstRunId: string;
  readonly description: WorkflowExecutionDescription;
}

/** The newest run, or the one that is named. @throws Temporal's own errors */
export async function describeRun(client: Client, workflowId: string, run?: string): Promise<DescribedRun> {
  const description = await client.workflow.getHandle(workflowId, run).describe();
  const firstRunId = description.raw.workflowExecutionInfo?.firstRunId;
  return { workflowId, description, firstRunId: firstRunId || description.runId };
}

/**
 * Undefined when there is no progress to tell: no worker, a workflow that failed before its
 * handlers stood, a history that is gone.
 */
export async function progressOf<S extends z.ZodType>(
  client: Client,
  schema: S,
  workflowId: string,
  runId?: string,
): Promise<z.output<S> | undefined> {
  try {
    const answer = await client.withDeadline(Date.now() + QUERY_TIMEOUT_MS, () =>
      client.workflow.getHandle(workflowId, runId).query<unknown>(PROGRESS_QUERY),
    );
    return schema.parse(answer);
  } catch {
    return undefined;
  }
}
