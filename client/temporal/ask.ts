// Sends a person's request to a running workflow as an update, and returns its sentence.
import {
  type Client,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { z } from 'zod';
import { MoverError, parseOrRefuse } from '../../contracts/errors.js';
import { findApplicationFailure, fromApplicationFailure, fromTemporal, type WorkflowNoun } from './failure.js';
import { isRunning } from './workflow-run.js';
import type { FoundRun } from './workflow-runs.js';

/**
 * Longest wait for an update's answer, ms. One that searches a batch's plan may take 30 s, and a
 * pause or an abort of a move waits for the verdict.
 */
const UPDATE_TIMEOUT_MS = 40_000;

const answerSchema = z.object({ message: z.string() });

interface Ask {
  readonly noun: WorkflowNoun;
  readonly update: string;
  readonly request: object;
  /** The refusal when the workflow has ended. */
  readonly ended: (id: string) => MoverError;
  /** The command that shows the workflow. @example "volume-mover status" */
  readonly look: string;
}

/** Asks. @throws MoverError the refusal; UNREACHABLE when no worker answers in time */
export async function ask(
  client: Client,
  found: FoundRun,
  { noun, update, request, ended, look }: Ask,
): Promise<string> {
  const { workflowId, firstRunId, id } = found;
  if (!isRunning(found)) throw ended(id);
  // Pins this very workflow, in case its id is used again.
  const handle = client.workflow.getHandle(workflowId, undefined, { firstExecutionRunId: firstRunId });
  try {
    const answer = await client.withDeadline(Date.now() + UPDATE_TIMEOUT_MS, () =>
      handle.executeUpdate<unknown, [object]>(update, { args: [request] }),
    );
    return parseOrRefuse(answerSchema, answer, 'answer').message;
  } catch (error) {
    if (error instanceof MoverError) throw error;
    if (error instanceof WorkflowUpdateFailedError) {
      const application = findApplicationFailure(error.cause);
      if (application !== undefined) throw fromApplicationFailure(application);
    }
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
      const message = `No worker answered in time. The ${noun} may still act on the request. To see: ${look} ${id}`;
      throw new MoverError('UNREACHABLE', message, { cause: error });
    }
    if (error instanceof WorkflowNotFoundError) throw ended(id);
    throw fromTemporal(error, workflowId, noun);
  }
}
