// Compensation: ask for the verdict, for ever; and make every splitter obey it.
import type { AttemptRecord, AttemptRef, Verdict } from '../contracts/attempt.js';
import { MoverError } from '../contracts/errors.js';
import { bySplitter, contextOf } from './attempt-context.js';
import { anyAppliance, type Ports } from './ports.js';
import { moveOptionsSchema } from '../contracts/move.js';

/** The longest reason the replica site keeps. */
const REASON_LENGTH_MAX = 1_000;

/** The verdict: an attempt still open, or never heard of, becomes ABORTED. @throws MoverError UNREACHABLE when no appliance answers */
export async function resolve(ports: Ports, attempt: AttemptRef, reason: string): Promise<AttemptRecord> {
  return await anyAppliance(ports, (appliance) =>
    appliance.calls.resolve({ attempt, reason: reason.slice(0, REASON_LENGTH_MAX) }),
  );
}

/** Every splitter of the record learns the verdict: fences are lifted, notices withdrawn. A splitter that knows newer attempts is past it. */
export async function learn(ports: Ports, record: AttemptRecord, verdict: Verdict): Promise<void> {
  const context = await contextOf(ports, record, moveOptionsSchema.parse({}));
  await Promise.all(
    bySplitter(ports, context.volumes).map(async ({ splitter, volumes }) => {
      try {
        await splitter.calls.learn({ attempt: context.attempt, verdict, volumes, to: context.to });
      } catch (error) {
        if (!(error instanceof MoverError) || error.code !== 'STALE_ATTEMPT') throw error;
      }
    }),
  );
}
