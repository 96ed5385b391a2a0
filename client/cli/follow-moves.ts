// Follows many moves at once: a live line for each that runs, and a lasting line for each that has
// ended.
import type { Move } from '../moves/move-client.js';
import type { MoverClient } from '../sdk.js';
import { moveLine } from './move-view.js';
import type { Output } from './output.js';

/** How often the lines are redrawn, ms: their durations grow even without news. */
const PICTURE_INTERVAL_MS = 500;

/** Follows moves to their ends. @throws what following one of them throws; the signal's reason */
export async function followMoves(
  client: MoverClient,
  ids: readonly string[],
  output: Output,
  signal: AbortSignal,
): Promise<Move[]> {
  const picture = output.picture();
  const latest = new Map<string, Move>();
  const ended: Move[] = [];
  const draw = (): void => picture?.draw([...latest.values()].map((move) => moveLine(move, Date.now())));
  const ticker = picture === undefined ? undefined : setInterval(draw, PICTURE_INTERVAL_MS);
  const stopped = new AbortController();
  const followOne = async (id: string): Promise<void> => {
    let shown = '';
    for await (const move of client.moves.follow(id, { signal: AbortSignal.any([signal, stopped.signal]) })) {
      latest.set(move.moveId, move);
      const stage = move.progress?.stage ?? move.state;
      if (picture !== undefined) draw();
      else if (move.state === 'running' && stage !== shown) output.progress(moveLine(move, Date.now()));
      shown = stage;
      if (move.state === 'running') continue;
      latest.delete(move.moveId);
      ended.push(move);
      picture?.clear();
      output.progress(moveLine(move, Date.now()));
      draw();
    }
  };
  try {
    await Promise.all(ids.map(followOne));
    return ended;
  } finally {
    // One that failed ends the following of the others, too.
    stopped.abort();
    clearInterval(ticker);
    picture?.clear();
  }
}
