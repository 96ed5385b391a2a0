// Whether the workflow of a move still runs, as Temporal says.
import type { Client } from '@temporalio/client';
import { MoverError } from '../../contracts/errors.js';
import type { MoveId } from '../../contracts/ids.js';
import { parseMoveId } from '../../contracts/move-id.js';
import { fromTemporal } from '../temporal/failure.js';
import { describeRun, type DescribedRun } from '../temporal/workflow-run.js';

/**
 * The workflow of a move. `unknown`: this Temporal server has no such workflow. It may run under
 * another server or namespace, so its end is not proven.
 */
export type Owner =
  | { readonly state: 'running'; readonly workflowId: string }
  | { readonly state: 'closed'; readonly how: ClosedHow; readonly run: DescribedRun }
  | { readonly state: 'unknown' };

const CLOSED = {
  COMPLETED: 'completed',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
  TERMINATED: 'terminated',
  TIMED_OUT: 'timed out',
} as const;

export type ClosedHow = (typeof CLOSED)[keyof typeof CLOSED];

/**
 * Looks up the workflow of a move. After a reset it is the newest run that counts.
 * @throws MoverError UNREACHABLE, UNAUTHORIZED, FORBIDDEN
 */
export async function ownerOf(client: Client, move: MoveId): Promise<Owner> {
  const { workflowId, firstRunId } = parseMoveId(move);
  if (firstRunId === undefined) return { state: 'unknown' };
  try {
    const newest = await describeRun(client, workflowId);
    // Only the newest run of a workflow id can be open.
    return stateOf(newest.firstRunId === firstRunId ? newest : await describeRun(client, workflowId, firstRunId));
  } catch (error) {
    const known = fromTemporal(error, workflowId, 'move');
    if (known instanceof MoverError && known.code === 'MOVE_NOT_FOUND') return { state: 'unknown' };
    throw known;
  }
}

/** Whatever is not surely closed counts as running: paused workflows among others. */
function stateOf(run: DescribedRun): Owner {
  const { name } = run.description.status;
  return isClosed(name)
    ? { state: 'closed', how: CLOSED[name], run }
    : { state: 'running', workflowId: run.workflowId };
}

function isClosed(name: string): name is keyof typeof CLOSED {
  return Object.hasOwn(CLOSED, name);
}
