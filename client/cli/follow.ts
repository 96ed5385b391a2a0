// Follows something that runs until it has ended: a status line, and a line for each finished part.
import { MoverError } from '../../contracts/errors.js';
import type { Heartbeat, MoveStage } from '../../contracts/move.js';
import type { Move, StartedMove } from '../moves/move-client.js';
import type { MoverClient } from '../sdk.js';
import { newSteps, retryingLine, stageLine, stepLine } from './move-view.js';
import { nextOfMove } from './next-commands.js';
import type { Output } from './output.js';

/** How often the status line is redrawn, ms. */
const STATUS_INTERVAL_MS = 100;

interface Shown<T> {
  /** The text of the status line. */
  readonly status: () => string;
  /** Called for each item, while the status line is hidden. */
  readonly update: (item: T) => void;
}

/** Follows and shows items. @returns the last item. @throws what following throws */
export async function followShown<T>(
  items: AsyncIterable<T>,
  output: Output,
  { status, update }: Shown<T>,
): Promise<T> {
  let last: T | undefined;
  const draw = (): void => output.status(status());
  const ticker = setInterval(draw, STATUS_INTERVAL_MS);
  try {
    for await (const item of items) {
      output.status('');
      update(item);
      draw();
      last = item;
    }
  } finally {
    clearInterval(ticker);
    output.status('');
  }
  if (last === undefined) throw new MoverError('INTERNAL', 'There was nothing to follow.');
  return last;
}

/** Follows a move. @throws what following it throws */
export async function followMove(
  client: MoverClient,
  { moveId }: StartedMove,
  output: Output,
  signal: AbortSignal,
): Promise<Move> {
  let shownSteps = 0;
  let stage: MoveStage = 'planning';
  let waitsFor: string | undefined;
  let doing: Heartbeat | undefined;
  let failure: string | undefined;
  let stageSinceMs = performance.now();
  return await followShown(client.moves.follow(moveId, { signal }), output, {
    status: () => stageLine(stage, performance.now() - stageSinceMs, doing),
    update: ({ progress, doing: newest, retrying }) => {
      doing = newest;
      if (progress === undefined) return;
      // A step may wait long for what passes by itself, such as a lease of a move that is gone.
      if (retrying !== undefined && retrying.message !== failure)
        output.progress(retryingLine(progress.stage, retrying));
      failure = retrying?.message;
      if (progress.stage !== stage) stageSinceMs = performance.now();
      stage = progress.stage;
      for (const step of newSteps(progress, shownSteps)) output.progress(stepLine(step));
      shownSteps = progress.steps.length;
      if (progress.waitsFor !== undefined && progress.waitsFor !== waitsFor) output.progress(`  ${progress.waitsFor}`);
      waitsFor = progress.waitsFor;
    },
  });
}

/**
 * What following a move comes to. After Ctrl-C it says that the move goes on, and what to type.
 * @returns undefined after Ctrl-C. @throws what `work` throws otherwise
 */
export async function unlessInterrupted(
  { moveId, workflowId }: StartedMove,
  output: Output,
  signal: AbortSignal,
  work: () => Promise<Move>,
): Promise<Move | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!signal.aborted) throw error;
    output.answer({ moveId, state: 'running', interrupted: true }, () =>
      [`Interrupted: move ${moveId} goes on.`, ...nextOfMove(workflowId)].join('\n'),
    );
    return undefined;
  }
}
