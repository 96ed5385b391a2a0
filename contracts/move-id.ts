// The id of a move. The first run's id makes a workflow id that is used again a new move, and Reset
// or a retry the same one.
import { MOVE_ID_LENGTH_MAX, moveIdSchema, type MoveId } from './ids.js';
import { invalidField } from './errors.js';

/** What a move id can't carry as it is; "%" too, so that two workflow ids never become one. */
const ENCODED = /[^\x21-\x24\x26-\x7e]/gu;
const WITH_RUN = /^(?<workflowId>.+)@(?<run>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/**
 * Workflow ids may hold anything: spaces and what is not ASCII is percent-encoded.
 * @param firstRunId the run id of the workflow's first run (`firstExecutionRunId`).
 * @throws MoverError INVALID_REQUEST when the workflow id is too long for a move id.
 */
export function moveIdOf(workflowId: string, firstRunId: string): MoveId {
  const id = moveIdSchema.safeParse(`${encodedWorkflowId(workflowId)}@${firstRunId}`);
  if (id.success) return id.data;
  const lengthMax = MOVE_ID_LENGTH_MAX - firstRunId.length - 1;
  throw invalidField(
    'workflowId',
    `at most ${lengthMax} characters`,
    `The workflow id is too long: a move takes at most ${lengthMax} characters (each space or non-ASCII one counts as three or more).`,
  );
}

/** A workflow id as it stands in a move id. */
export function encodedWorkflowId(workflowId: string): string {
  return workflowId.replaceAll(ENCODED, encodeURIComponent);
}

/**
 * Reads either form that people have at hand: a move id, or a workflow id alone (then its newest
 * move is meant). Ids of batches and verifications are of the same form.
 */
export function parseMoveId(id: string): { readonly workflowId: string; readonly firstRunId?: string } {
  const { workflowId, run } = WITH_RUN.exec(id)?.groups ?? {};
  if (workflowId === undefined || run === undefined) return { workflowId: id };
  return { workflowId: decoded(workflowId), firstRunId: run };
}

/** What is no ASCII is percent-encoded in a move id. */
function decoded(workflowId: string): string {
  try {
    return decodeURIComponent(workflowId);
  } catch {
    return workflowId;
  }
}
