// The move that takes the volumes of a committed move back to the group that they came from.
import type { WayBack } from '../../contracts/attempt.js';
import { MoverError } from '../../contracts/errors.js';
import type { MoveInput, MoveReport } from '../../contracts/move.js';
import { parseMoveId } from '../../contracts/move-id.js';
import { time } from '../text/format.js';
import { printable } from '../text/printable.js';
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

/**
 * The way back of a reversible move in words: until when it is open, or how it ended; undefined for
 * a move without one. @example "open until 2026-11-23T10:30:00.000Z: volume-mover reverse m-7"
 */
export function wayBackText(
  { move, reversibleUntilMs }: Pick<MoveReport, 'move' | 'reversibleUntilMs'>,
  wayBack?: WayBack,
): string | undefined {
  const { untilMs = reversibleUntilMs, ended } = wayBack ?? {};
  if (untilMs === undefined) return undefined;
  if (ended === undefined) return `open until ${time(untilMs)}: volume-mover reverse ${move}`;
  const was = `was open until ${time(untilMs)}`;
  switch (ended.why) {
    case 'over':
      return was;
    case 'reversed':
      return `was taken ${time(ended.atMs)} by move ${ended.move ?? '?'}`;
    case 'finalized':
      return `${was}; ${printable(ended.operator ?? '?')} ended it ${time(ended.atMs)}: ${printable(ended.reason ?? '')}`;
    case 'lost':
      return `${was}; it ended ${time(ended.atMs)}, since a volume was no longer where the move had put it`;
  }
}
