// A workflow run as Temporal describes it, and its progress.
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import type { z } from 'zod';

const PROGRESS_QUERY = 'progress';
/**
 * Longest wait for a query's answer, ms. Without a worker none comes, and the description must do.
 */
const QUERY_TIMEOUT_MS = 2_000;
/**
 * Longest wait for a description, ms. A live server answers in milliseconds; without a deadline the
 * client's own retries last a minute.
 */
const DESCRIBE_TIMEOUT_MS = 10_000;

export interface DescribedRun {
  readonly workflowId: string;
  readonly firstRunId: string;
  readonly description: WorkflowExecutionDescription;
}

/** Describes the newest run, or the given one. @throws Temporal's own errors */
export async function describeRun(client: Client, workflowId: string, run?: string): Promise<DescribedRun> {
  const description = await client.withDeadline(Date.now() + DESCRIBE_TIMEOUT_MS, async () =>
    client.workflow.getHandle(workflowId, run).describe(),
  );
  const firstRunId = description.raw.workflowExecutionInfo?.firstRunId;
  return { workflowId, description, firstRunId: firstRunId || description.runId };
}

export function isRunning({ description }: Pick<DescribedRun, 'description'>): boolean {
  return description.status.name === 'RUNNING';
}

/**
 * The progress; undefined when none is available: no worker, a workflow that failed before its
 * handlers were set, a history that is gone.
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

/**
 * Reads one workflow's progress repeatedly. Each query costs its worker a task, so it asks only
 * when the history has grown; progress never changes without an event.
 */
export class ProgressReader<S extends z.ZodType> {
  readonly #schema: S;
  #askedAt: string | undefined;
  #progress: z.output<S> | undefined;

  constructor(schema: S) {
    this.#schema = schema;
  }

  /** The newest progress, the last known if no worker answers now; undefined when none ever has. */
  async read(client: Client, run: DescribedRun): Promise<z.output<S> | undefined> {
    const { runId, historyLength } = run.description;
    const at = `${runId} ${historyLength}`;
    if (at === this.#askedAt) return this.#progress;
    // A batch continues as new, so its running run is asked by workflow id.
    const progress = await progressOf(client, this.#schema, run.workflowId, isRunning(run) ? undefined : runId);
    if (progress !== undefined) {
      this.#askedAt = at;
      this.#progress = progress;
    }
    return this.#progress;
  }
}
