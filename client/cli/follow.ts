// Follows a running move on the terminal until it has ended.
import type { MoverClient } from '../sdk.js';
import type { Move, StartedMove } from '../moves/moves.js';
import { newSteps, stageLine, stepLine } from './move-view.js';
import type { Output } from './output.js';

/** How often the line of what goes on now is drawn again, ms. */
const STATUS_INTERVAL_MS = 100;

/** @throws what watching the move throws; the signal's reason */
export async function followMove(
  client: MoverClient,
  { moveId }: StartedMove,
  output: Output,
  signal: AbortSignal,
): Promise<Move> {
  let seen = 0;
  let stage: Parameters<typeof stageLine>[0] = 'planning';
  let stageSinceMs = performance.now();
  const drawStatus = (): void => output.status(stageLine(stage, performance.now() - stageSinceMs));
  const ticker = setInterval(drawStatus, STATUS_INTERVAL_MS);
  try {
    for await (const progress of client.watchMove(moveId, { signal })) {
      if (progress.stage !== stage) stageSinceMs = performance.now();
      stage = progress.stage;
      output.status('');
      for (const step of newSteps(progress, seen)) output.progress(stepLine(step));
      seen = progress.steps.length;
      drawStatus();
    }
  } finally {
    clearInterval(ticker);
    output.status('');
  }
  return await client.getMove(moveId);
}
