// Compensation: asks for the final verdict and makes every splitter obey it.
import type { AttemptRecord, AttemptRef, Verdict } from '../contracts/attempt.js';
import { type ErrorCode, MoverError } from '../contracts/errors.js';
import { bySplitter, contextOf } from './attempt-context.js';
import { anyAppliance, type Ports } from '../control/ports.js';
import { moveOptionsSchema } from '../contracts/move.js';

/** Longest reason that the replica site keeps, characters. */
const REASON_LENGTH_MAX = 1_000;

/**
 * The verdict. An attempt that is open or unknown becomes ABORTED.
 * @param floor the next ticket when the attempt was planned
 * @throws MoverError UNREACHABLE when no appliance answers; STALE_ATTEMPT when the replica site has
 * forgotten the verdict: every splitter has learned it
 */
export async function resolve(
  ports: Ports,
  attempt: AttemptRef,
  reason: string,
  floor?: number,
): Promise<AttemptRecord> {
  const asked = { attempt, reason: reason.slice(0, REASON_LENGTH_MAX), ...(floor === undefined ? {} : { floor }) };
  return await anyAppliance(ports, (appliance) => appliance.calls.resolve(asked));
}

/**
 * Refusals after which a splitter needs no verdict. One that knows newer attempts is past this one.
 * A volume that it does not serve stays behind its fence, and the splitter asks for the verdict
 * itself once that is repaired.
 */
const NOT_NEEDED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['STALE_ATTEMPT', 'VOLUME_UNUSABLE']);

/** Tells every splitter of the record the verdict. It lifts fences and withdraws notices. */
export async function learn(ports: Ports, record: AttemptRecord, verdict: Verdict): Promise<void> {
  const context = await contextOf(ports, record, moveOptionsSchema.parse({}));
  await Promise.all(
    bySplitter(ports, context.volumes).map(async ({ splitter, volumes }) => {
      try {
        await splitter.calls.learn({ attempt: context.attempt, verdict, volumes, to: context.to });
      } catch (error) {
        if (!(error instanceof MoverError) || !NOT_NEEDED.has(error.code)) throw error;
      }
    }),
  );
}
