// Names of batches: a workflow id that people can read. The batch id itself is made as a move's.
import { createHash, randomBytes } from 'node:crypto';
import type { BatchId, ParsedBatchInput } from '../../contracts/batch.js';
import { invalidField } from '../../contracts/errors.js';
import { encodedWorkflowId, moveIdOf, parseMoveId } from '../../contracts/move-id.js';

/**
 * Bytes of randomness at the end of a default id: two batches of one kind on one day don't collide.
 */
const UNIQUE_BYTES = 4;
/**
 * The ids of a batch's moves begin with its own, followed by number, volume and try: these have to
 * fit into a move id.
 */
const WORKFLOW_ID_LENGTH_MAX = 160;

/** @example "batch-cg-gold-to-cg-silver-3f9a0c12", "batch-of-12-moves-88c01d7e" */
export function defaultBatchWorkflowId({ moves, select, failedOf, to }: ParsedBatchInput): string {
  return `batch-${whatOf()}${randomBytes(UNIQUE_BYTES).toString('hex')}`;

  function whatOf(): string {
    if (moves !== undefined) return `of-${moves.length}-moves-`;
    if (failedOf !== undefined) return 'of-failed-';
    return typeof select?.from === 'string' && to !== undefined ? `${select.from}-to-${to}-` : '';
  }
}

/** @throws MoverError INVALID_REQUEST for one that is too long for the ids of its moves */
export function refuseLongBatchId(workflowId: string): void {
  if (encodedWorkflowId(workflowId).length <= WORKFLOW_ID_LENGTH_MAX) return;
  const message = `at most ${WORKFLOW_ID_LENGTH_MAX} characters (each space or non-ASCII one counts as three or more): the ids of the batch's moves begin with it`;
  throw invalidField('workflowId', message, `The id of the batch is too long: ${message}.`);
}

/**
 * As a batch id, if it is a whole one: a workflow id alone does not name a batch to the replica
 * site.
 */
export function wholeBatchId(id: string): BatchId | undefined {
  const { workflowId, firstRunId } = parseMoveId(id);
  return firstRunId === undefined ? undefined : moveIdOf(workflowId, firstRunId);
}

/**
 * The same for the same input, however its fields are ordered: what a repeated start is known by.
 */
export function digestOf(input: ParsedBatchInput): string {
  return createHash('sha256')
    .update(JSON.stringify(ordered(input)))
    .digest('hex');
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, ordered(inner)]),
  );
}
