// The move that takes the volumes of a committed move back to the group that they came from.
import { MoverError } from '../../contracts/errors.js';
import type { MoveInput } from '../../contracts/move.js';
import { parseMoveId } from '../../contracts/move-id.js';
import type { Move } from './move-client.js';

/**
 * The input of the move back. It names the group that the volumes must be in, so that a volume
 * which has been moved on since then is refused, and nothing is changed.
 * @throws MoverError MOVE_REQUEST_REFUSED when the move has not moved anything
 */
export function wayBackOf({ moveId, state, report }: Pick<Move, 'moveId' | 'state' | 'report'>): MoveInput {
  if (report === undefined) throw new MoverError('MOVE_REQUEST_REFUSED', refusalText(moveId, state));
  const [first, ...more] = report.volumes.map(({ volume }) => volume);
  if (first === undefined) throw new MoverError('INTERNAL', `The report of move ${moveId} names no volume.`);
  return {
    ...(more.length === 0 ? { volume: first } : { volumes: [first, ...more] }),
    from: report.to.group,
    to: report.from.group,
  };
}

/**
 * The workflow id of the move back: one for each move, so that a repeated `reverse` answers with
 * the move back that was made, and moves nothing.
 */
export function wayBackId(moveId: string): string {
  const { workflowId, firstRunId } = parseMoveId(moveId);
  return `reverse-${firstRunId ?? workflowId}`;
}

function refusalText(moveId: string, state: Move['state']): string {
  if (state === 'running')
    return `Move ${moveId} still runs, so there is nothing to reverse. To end it before its commit: volume-mover abort ${moveId} --reason <why>`;
  return `Move ${moveId} has moved nothing (${state}), so there is nothing to reverse. The volumes are where they were.`;
}
