// Readable workflow ids for batches. A batch id is built from one like a move id.
import { createHash, randomBytes } from 'node:crypto';
import type { BatchId, ParsedBatchInput } from '../../contracts/batch.js';
import { invalidField } from '../../contracts/errors.js';
import { encodedWorkflowId, moveIdOf, parseMoveId } from '../../contracts/move-id.js';

/** Random bytes at the end of a default id. They keep two batches of one kind on one day apart. */
const UNIQUE_BYTES = 4;
/**
 * Longest workflow id of a batch. Its moves' ids append number, volume and try, and must fit into a
 * move id.
 */
const WORKFLOW_ID_LENGTH_MAX = 160;

/**
 * A default workflow id. @example "batch-cg-gold-to-cg-silver-3f9a0c12",
 * "batch-of-12-moves-88c01d7e"
 */
export function defaultBatchWorkflowId({ moves, select, failedOf, to }: ParsedBatchInput, hidesNames = false): string {
  return `batch-${whatOf()}${randomBytes(UNIQUE_BYTES).toString('hex')}`;

  function whatOf(): string {
    if (moves !== undefined) return `of-${moves.length}-moves-`;
    if (failedOf !== undefined) return 'of-failed-';
    if (hidesNames) return '';
    return typeof select?.from === 'string' && to !== undefined ? `${select.from}-to-${to}-` : '';
  }
}

/** @throws MoverError INVALID_REQUEST for an id too long for the ids of its moves */
export function refuseLongBatchId(workflowId: string): void {
  if (encodedWorkflowId(workflowId).length <= WORKFLOW_ID_LENGTH_MAX) return;
  const message = `at most ${WORKFLOW_ID_LENGTH_MAX} characters (each space or non-ASCII one counts as three or more): the ids of the batch's moves begin with it`;
  throw invalidField('workflowId', message, `The id of the batch is too long: ${message}.`);
}

/**
 * The id as a batch id if it is a whole one. The replica site does not know batches by workflow id
 * alone.
 */
export function wholeBatchId(id: string): BatchId | undefined {
  const { workflowId, firstRunId } = parseMoveId(id);
  return firstRunId === undefined ? undefined : moveIdOf(workflowId, firstRunId);
}

/**
 * Hash of an input, independent of the order of its fields. A repeated start is recognized by it.
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
