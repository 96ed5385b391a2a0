// The doctor's part of a run: ends what movers left behind that are gone, as `doctor --fix` does.
import { findHeldAttempts, settleAttempt } from '../../activities/settle.js';
import { attemptName } from '../../contracts/attempt.js';
import { MoverError } from '../../contracts/errors.js';
import type { World } from './world.js';

/** Looks before a doctor gives up: a run's faults may keep it from any process for a while. */
const LOOKS_MAX = 20;
const PAUSE_MS = 200;
/** Longest look, ms: a call that is never answered must not keep the doctor. */
const LOOK_MS_MAX = 2_000;

/**
 * Ends every attempt of a move that is gone, and looks again until none holds anything.
 * @param isGone whether the workflow of a move is closed
 * @returns whether nothing is left
 */
export async function visitOfDoctor(world: World, isGone: (move: string) => boolean): Promise<boolean> {
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    const tooLong = world.time.sleep(LOOK_MS_MAX).then(() => false);
    if (await Promise.race([isNothingLeft(world, isGone), tooLong])) return true;
    await world.time.sleep(PAUSE_MS);
  }
  return false;
}

/** Looks once, and ends what it finds. @returns whether it found nothing */
async function isNothingLeft(world: World, isGone: (move: string) => boolean): Promise<boolean> {
  const ports = world.ports();
  try {
    const { attempts, silent } = await findHeldAttempts(ports);
    const dead = attempts.filter(({ attempt }) => isGone(attempt.move));
    for (const held of dead) {
      const before = held.record?.state ?? 'unknown';
      const reason = "the move's workflow was terminated";
      const { state } = await settleAttempt(ports, held, { reason, onlyIfExpired: false });
      world.reaches(`a doctor found ${before} and got ${state}`);
      // A verdict that was given stays: no doctor turns it.
      if ((before === 'COMMITTED' || before === 'ABORTED') && state !== before && !world.hasSiteForgotten)
        world.witness.break(`a doctor got ${state} of ${attemptName(held.attempt)}, which was ${before}`);
    }
    return dead.length === 0 && silent.length === 0;
  } catch (error) {
    if (!(error instanceof MoverError)) throw error;
    return false;
  }
}
