// The latest time at which a move may raise its fence. A batch's move gives up at the end of the
// maintenance window and changes nothing.
import { MoverError } from '../contracts/errors.js';
import type { MoveOptions } from '../contracts/move.js';
import type { StepRun } from './run.js';

export type FenceClock = Pick<StepRun, 'nowMs'>;

export function isTooLateToFence({ fenceByMs }: Pick<MoveOptions, 'fenceByMs'>, clock: FenceClock): boolean {
  return fenceByMs !== undefined && clock.nowMs() > fenceByMs;
}

export function windowClosed({ fenceByMs }: Pick<MoveOptions, 'fenceByMs'>): MoverError {
  const until = fenceByMs === undefined ? '' : ` by ${new Date(fenceByMs).toISOString()}`;
  return new MoverError('WINDOW_CLOSED', `The move was not ready to raise its fence${until}, the latest time allowed.`);
}
