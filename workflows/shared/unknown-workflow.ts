// Answers a mistyped workflow type. Without it Temporal would retry the first task for ever.
import { ApplicationFailure, workflowInfo } from '@temporalio/workflow';
import { MoverError, toProblem } from '../../contracts/errors.js';
import { WORKFLOW_TYPES } from '../../contracts/workflow-types.js';

/** Fails. @throws ApplicationFailure UNKNOWN_WORKFLOW, at once */
export async function unknownWorkflow(): Promise<never> {
  const { workflowType, taskQueue } = workflowInfo();
  const known = WORKFLOW_TYPES.map((type) => `"${type}"`).join(', ');
  const error = new MoverError(
    'UNKNOWN_WORKFLOW',
    `There is no workflow type "${workflowType}" on task queue "${taskQueue}". The types are ${known}.`,
  );
  throw ApplicationFailure.nonRetryable(error.message, error.code, { problem: toProblem(error) });
}
