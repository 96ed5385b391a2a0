// Compensation: asks for the final verdict and makes every splitter obey it.
import type { applianceApi } from '../contracts/appliance-api.js';
import type { AttemptRecord, AttemptRef, Verdict } from '../contracts/attempt.js';
import { type ErrorCode, MoverError } from '../contracts/errors.js';
import { bySplitter, contextOf } from './attempt-context.js';
import { anyAppliance, type Ports } from '../control/ports.js';
import { moveOptionsSchema } from '../contracts/move.js';
import type { InputOf } from '../contracts/route.js';

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
  return await askVerdict(ports, { attempt, reason, ...(floor === undefined ? {} : { floor }) });
}

/** Asks any appliance for the verdict. A reason that is too long for the record is cut. */
export async function askVerdict(
  ports: Ports,
  { reason, ...question }: InputOf<(typeof applianceApi)['resolve']> & { readonly reason: string },
): Promise<AttemptRecord> {
  const asked = { ...question, reason: reason.slice(0, REASON_LENGTH_MAX) };
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
