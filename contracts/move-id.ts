// The id of a move: workflow id and first run's id. A Reset or retry keeps it; a reused workflow id
// makes a new move.
import { MOVE_ID_LENGTH_MAX, moveIdSchema, type MoveId } from './ids.js';
import { invalidField } from './errors.js';

/**
 * Characters that a move id must encode. "%" is one of them, so that two workflow ids never become
 * one.
 */
const ENCODED = /[^\x21-\x24\x26-\x7e]/gu;
const WITH_RUN = /^(?<workflowId>.+)@(?<run>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/**
 * Makes a move id. A workflow id may hold any text: spaces and non-ASCII characters are
 * percent-encoded.
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

/** Encodes a workflow id for use in a move id. */
export function encodedWorkflowId(workflowId: string): string {
  return workflowId.replaceAll(ENCODED, encodeURIComponent);
}

/**
 * Reads a move id, or a workflow id alone, which stands for its newest move. Ids of batches and
 * verifications have the same form.
 */
export function parseMoveId(id: string): { readonly workflowId: string; readonly firstRunId?: string } {
  const { workflowId, run } = WITH_RUN.exec(id)?.groups ?? {};
  if (workflowId === undefined || run === undefined) return { workflowId: id };
  return { workflowId: decoded(workflowId), firstRunId: run };
}

/** Undoes the percent-encoding of a workflow id. */
function decoded(workflowId: string): string {
  try {
    return decodeURIComponent(workflowId);
  } catch {
    return workflowId;
  }
}
