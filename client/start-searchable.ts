// Starts a workflow with its search attributes, also where no worker has prepared the namespace yet.
import {
  type Client,
  isGrpcServiceError,
  type WorkflowHandleWithFirstExecutionRunId,
  type WorkflowStartOptions,
} from '@temporalio/client';

/** A namespace that no worker has prepared yet does not know the attributes: the workflow sets them itself, once there is one. */
export async function startSearchable(
  client: Client,
  workflowType: string,
  options: WorkflowStartOptions,
): Promise<WorkflowHandleWithFirstExecutionRunId> {
  try {
    return await client.workflow.start(workflowType, options);
  } catch (error) {
    if (!refusesAttributes(error)) throw error;
    const { typedSearchAttributes: _unknown, ...rest } = options;
    return await client.workflow.start(workflowType, rest);
  }
}

export function refusesAttributes(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return [error, cause].some(
    (candidate) => isGrpcServiceError(candidate) && candidate.details.toLowerCase().includes('search attribute'),
  );
}
