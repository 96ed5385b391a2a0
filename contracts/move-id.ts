// The id of a move. The first run's id makes a workflow id that is used again a new move, and Reset
// or a retry the same one.
import { MOVE_ID_LENGTH_MAX, moveIdSchema, type MoveId } from './ids.js';
import { MoverError } from './errors.js';

/** What a move id can't carry as it is; "%" too, so that two workflow ids never become one. */
const ENCODED = /[^\x21-\x24\x26-\x7e]/gu;

/**
 * Workflow ids may hold anything: spaces and what is not ASCII is percent-encoded.
 * @param firstRunId the run id of the workflow's first run (`firstExecutionRunId`).
 * @throws MoverError INVALID_REQUEST when the workflow id is too long for a move id.
 */
export function moveIdOf(workflowId: string, firstRunId: string): MoveId {
  const id = moveIdSchema.safeParse(`${encodedWorkflowId(workflowId)}@${firstRunId}`);
  if (id.success) return id.data;
  const lengthMax = MOVE_ID_LENGTH_MAX - firstRunId.length - 1;
  throw new MoverError(
    'INVALID_REQUEST',
    `The workflow id is too long: a move takes at most ${lengthMax} characters (each space or non-ASCII one counts as three or more).`,
    {
      reasons: [{ code: 'INVALID_REQUEST', subject: 'workflowId', message: `at most ${lengthMax} characters` }],
    },
  );
}

/** A workflow id as it stands in a move id. */
export function encodedWorkflowId(workflowId: string): string {
  return workflowId.replaceAll(ENCODED, encodeURIComponent);
}
