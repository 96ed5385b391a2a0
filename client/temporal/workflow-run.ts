// A workflow run as Temporal describes it, and its progress.
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import type { z } from 'zod';

const PROGRESS_QUERY = 'progress';
/**
 * Longest wait for a query's answer, ms, where something else will do: the last answer while one
 * follows a run, the report of a run that has ended. Without a worker no answer comes.
 */
const QUERY_TIMEOUT_MS = 2_000;
/**
 * Longest wait for the only look at a running workflow, ms. For as long, Temporal may still hold
 * the query for a worker that has just died, before any other gets it.
 */
const ONLY_QUERY_TIMEOUT_MS = 12_000;
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

interface ProgressOptions {
  /** The newest run by default. */
  readonly runId?: string | undefined;
  /** How long a worker has to answer, ms. */
  readonly timeoutMs?: number;
}

/**
 * The progress; undefined when none is available: no worker, a workflow that failed before its
 * handlers were set, a history that is gone.
 */
export async function progressOf<S extends z.ZodType>(
  client: Client,
  schema: S,
  workflowId: string,
  { runId, timeoutMs = QUERY_TIMEOUT_MS }: ProgressOptions = {},
): Promise<z.output<S> | undefined> {
  try {
    const answer = await client.withDeadline(Date.now() + timeoutMs, () =>
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
  readonly #timeoutMs: number;

  constructor(schema: S, timeoutMs = QUERY_TIMEOUT_MS) {
    this.#schema = schema;
    this.#timeoutMs = timeoutMs;
  }

  /** The newest progress, the last known if no worker answers now; undefined when none ever has. */
  async read(client: Client, run: DescribedRun): Promise<z.output<S> | undefined> {
    const { runId, historyLength } = run.description;
    const at = `${runId} ${historyLength}`;
    if (at === this.#askedAt) return this.#progress;
    // A batch continues as new, so its running run is asked by workflow id.
    const asked = isRunning(run) ? {} : { runId };
    const progress = await progressOf(client, this.#schema, run.workflowId, { ...asked, timeoutMs: this.#timeoutMs });
    if (progress !== undefined) {
      this.#askedAt = at;
      this.#progress = progress;
    }
    return this.#progress;
  }
}

/** Reads one workflow's progress once, and waits longer for it, since nothing else will do. */
export function onlyLook<S extends z.ZodType>(schema: S, run: DescribedRun): ProgressReader<S> {
  return new ProgressReader(schema, isRunning(run) ? ONLY_QUERY_TIMEOUT_MS : QUERY_TIMEOUT_MS);
}
