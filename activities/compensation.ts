// Compensation: ask for the verdict, for ever; and make every splitter obey it.
import type { AttemptRecord, AttemptRef, Verdict } from '../contracts/attempt.js';
import { type ErrorCode, MoverError } from '../contracts/errors.js';
import { bySplitter, contextOf } from './attempt-context.js';
import { anyAppliance, type Ports } from '../control/ports.js';
import { moveOptionsSchema } from '../contracts/move.js';

/** The longest reason the replica site keeps. */
const REASON_LENGTH_MAX = 1_000;

/**
 * The verdict: an attempt still open, or never heard of, becomes ABORTED.
 * @throws MoverError UNREACHABLE when no appliance answers
 */
export async function resolve(ports: Ports, attempt: AttemptRef, reason: string): Promise<AttemptRecord> {
  return await anyAppliance(ports, (appliance) =>
    appliance.calls.resolve({ attempt, reason: reason.slice(0, REASON_LENGTH_MAX) }),
  );
}

/**
 * Names the refusals that end a compensation. A splitter that knows newer attempts is past this
 * one. A volume that is left out there stays behind its fence, and asks by itself once it is
 * mended.
 */
const NOT_NEEDED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['STALE_ATTEMPT', 'VOLUME_UNUSABLE']);

/** Every splitter of the record learns the verdict: fences are lifted, notices withdrawn. */
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
