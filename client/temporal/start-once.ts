// Starts a workflow under an id so that the start can be repeated. Moves, batches and verifications
// use it.
import {
  type Client,
  isGrpcServiceError,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowHandleWithFirstExecutionRunId,
  type WorkflowStartOptions,
} from '@temporalio/client';
import { type SearchAttributePair, TypedSearchAttributes } from '@temporalio/common';
import { isDeepStrictEqual } from 'node:util';
import { MoverError } from '../../contracts/errors.js';
import { HIDDEN_MEMO, withoutNames } from '../../contracts/search-pairs.js';
import { summaryLine } from '../../contracts/summary-line.js';
import { type TemporalAccess, taskQueueOf } from './connection.js';
import { fromTemporal, type WorkflowNoun } from './failure.js';
import { describeRun, isRunning } from './workflow-run.js';

export interface StartOnce {
  readonly type: string;
  /** What people call such a workflow. */
  readonly noun: WorkflowNoun;
  readonly workflowId: string;
  readonly input: unknown;
  /** Tells two starts under one id apart. It is kept in the memo, so it must be short. */
  readonly same: { readonly key: string; readonly value: unknown };
  /** Whether an id whose workflow has ended starts a new one. Default: true. */
  readonly again?: boolean;
  /** Further fields of the memo. */
  readonly memo?: Readonly<Record<string, unknown>>;
  /** One line for the Temporal UI; cut if too long. */
  readonly summary: string;
  readonly searchAttributes?: readonly SearchAttributePair[];
}

export interface StartedRun {
  readonly workflowId: string;
  readonly firstRunId: string;
  readonly runId: string;
}

/**
 * Starts a workflow. A start repeated under its id, say after a lost answer, returns the existing
 * run: a running one always, an ended one unless `again`. Another start under the id is refused.
 * @throws MoverError ATTEMPT_MISMATCH, UNREACHABLE
 */
export async function startOnce(
  access: Pick<TemporalAccess, 'client' | 'taskQueue' | 'hidesNames'>,
  start: StartOnce,
): Promise<StartedRun> {
  const { client, hidesNames = false } = access;
  const { type, noun, workflowId, input, same, again = true, memo, summary, searchAttributes } = start;
  try {
    const { firstExecutionRunId } = await startSearchable(client, type, {
      taskQueue: taskQueueOf(access),
      workflowId,
      args: [input],
      workflowIdConflictPolicy: 'FAIL',
      workflowIdReusePolicy: again ? 'ALLOW_DUPLICATE' : 'REJECT_DUPLICATE',
      memo: { [same.key]: same.value, ...memo, ...(hidesNames ? { [HIDDEN_MEMO]: true } : {}) },
      staticSummary: summaryLine(summary),
      ...(searchAttributes === undefined
        ? {}
        : {
            typedSearchAttributes: new TypedSearchAttributes(
              hidesNames ? withoutNames(searchAttributes) : [...searchAttributes],
            ),
          }),
    });
    return { workflowId, firstRunId: firstExecutionRunId, runId: firstExecutionRunId };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return await startedBefore(client, start);
    throw fromTemporal(error, workflowId, noun);
  }
}

/**
 * The workflow that was started before under the id with the same input.
 * @throws MoverError ATTEMPT_MISMATCH when it is another one; not found; UNREACHABLE
 */
export async function startedBefore(
  client: Client,
  { type, noun, workflowId, same }: Pick<StartOnce, 'type' | 'noun' | 'workflowId' | 'same'>,
): Promise<StartedRun> {
  const { firstRunId, description } = await describeRun(client, workflowId).catch((error: unknown) => {
    throw fromTemporal(error, workflowId, noun);
  });
  // Values that went through JSON have no undefined fields.
  const value: unknown = JSON.parse(JSON.stringify(same.value));
  if (description.type !== type || !isDeepStrictEqual(description.memo?.[same.key], value))
    throw new MoverError(
      'ATTEMPT_MISMATCH',
      `Another ${description.type === type ? noun : 'workflow'} ${isRunning({ description }) ? 'is running' : 'has run'} under the workflow id "${workflowId}".`,
    );
  return { workflowId, firstRunId, runId: description.runId };
}

/**
 * Starts without search attributes in a namespace that no worker has prepared. The workflow sets
 * them once there is a worker.
 */
async function startSearchable(
  client: Client,
  type: string,
  options: WorkflowStartOptions,
): Promise<WorkflowHandleWithFirstExecutionRunId> {
  try {
    return await client.workflow.start(type, options);
  } catch (error) {
    if (!refusesAttributes(error)) throw error;
    const { typedSearchAttributes: _unknown, ...rest } = options;
    return await client.workflow.start(type, rest);
  }
}

export function refusesAttributes(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return [error, cause].some(
    (candidate) => isGrpcServiceError(candidate) && candidate.details.toLowerCase().includes('search attribute'),
  );
}
