// Between tries of step 1: a move that queues waits while other moves hold its volumes.
import { MoverError } from '../contracts/errors.js';
import type { ParsedMoveInput } from '../contracts/move.js';
import type { Held } from '../contracts/steps.js';
import type { Ports } from '../control/ports.js';
import { findVolume } from '../control/site-lookup.js';
import { isTooLateToFence, windowClosed } from './fence-by.js';
import type { StepRun } from './run.js';

/** Pause between two looks, ms: how much later than it could the move goes on. */
const LOOK_MS = 1_000;
/** Longest wait of a move, ms: a day, as for every wait before a fence. */
const QUEUE_MS_MAX = 24 * 3_600_000;
/** Longest wait of a move of a batch, ms. The batch tries the move again later, after others. */
const QUEUE_MS_MAX_IN_BATCH = 180_000;

/**
 * Waits until none of the holders holds its volume any more; notify then finds out who does. It
 * opens nothing, so it can be cancelled at any time.
 * @param sinceMs when the move began to wait: a retry does not begin anew
 * @throws MoverError VOLUME_BUSY after the longest wait; WINDOW_CLOSED; those of the look-up
 */
export async function awaitTurn(
  ports: Ports,
  { options, batch }: ParsedMoveInput,
  { holders }: Held,
  sinceMs: number,
  run: StepRun,
): Promise<void> {
  const waitMsMax = batch === undefined ? QUEUE_MS_MAX : QUEUE_MS_MAX_IN_BATCH;
  for (;;) {
    // At first, too: a holder that let go at once must not make a round without a pause.
    await run.sleep(LOOK_MS);
    if (isTooLateToFence(options, run)) throw windowClosed(options);
    const found = await Promise.all(holders.map(({ volume }) => findVolume(ports, volume)));
    const still = holders.find(({ move }, i) => found[i]?.openAttempt?.move === move);
    if (still === undefined) return;
    if (run.nowMs() - sinceMs > waitMsMax)
      throw new MoverError(
        'VOLUME_BUSY',
        `After ${Math.round(waitMsMax / 60_000)} minutes of waiting, volume "${still.volume}" is still being moved by ${still.move}.`,
      );
  }
}
