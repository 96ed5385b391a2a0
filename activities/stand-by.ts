// Keeps an attempt ready for its fence: a person has not approved it yet, or its time has not come.
import { MoverError } from '../contracts/errors.js';
import { attemptName } from '../contracts/attempt.js';
import type { AttemptContext, StandByUntil } from '../contracts/steps.js';
import { applianceOf, type Ports } from '../control/ports.js';
import { isTooLateToFence, windowClosed } from './fence-by.js';
import { inventory, undistributedBytes } from './attempt-context.js';
import type { StepRun } from './run.js';

/** Looks in one length of a lease. Each renews it. */
const LOOKS_PER_LEASE = 4;
/** Longest pause between two looks, ms: how old the shown lag may be. */
const LOOK_MS_MAX = 5_000;

/**
 * Stands by until the earliest time for a fence, or until it is cancelled.
 * @throws MoverError WINDOW_CLOSED; ATTEMPT_ABORTED at the attempt's deadline, so that a new one
 * takes its place; those of the control calls
 */
export async function standBy(ports: Ports, context: AttemptContext, until: StandByUntil, run: StepRun): Promise<void> {
  const { options, attempt, from } = context;
  const { fenceFromMs = 0, leaseMs } = options;
  const { move, n } = attempt;
  for (;;) {
    if (isTooLateToFence(options, run)) throw windowClosed(options);
    const leftMs = until === 'approved' ? LOOK_MS_MAX : fenceFromMs - run.nowMs();
    if (leftMs <= 0) return;
    const record = await applianceOf(ports, from.appliance).calls.renew({ attempt: { move, n }, leaseMs });
    const granted = record.contents?.lease?.ms ?? leaseMs;
    if (granted < leaseMs)
      throw new MoverError(
        'ATTEMPT_ABORTED',
        `The deadline of attempt ${attemptName(attempt)} is near; a new attempt keeps the move ready.`,
      );
    const [splits, undistributed] = await Promise.all([inventory(ports, context), undistributedBytes(ports, context)]);
    const bytesLeft = undistributed + splits.reduce((sum, split) => sum + split.unconfirmedBytes, 0);
    run.heartbeat({ doing: 'standing by', bytesLeft });
    await run.sleep(Math.min(leftMs, LOOK_MS_MAX, leaseMs / LOOKS_PER_LEASE));
  }
}
