// Step 3: pins a recovery point of the old group exactly at the cut.
import { MoverError } from '../contracts/errors.js';
import type { AttemptContext, Flushed, Snapshot } from '../contracts/steps.js';
import { renewFences } from './attempt-context.js';
import { applianceOf, type Ports } from '../control/ports.js';

/**
 * Seals the attempt. @throws MoverError ATTEMPT_ABORTED, FENCE_LAPSED, CUT_VOID, NOT_DRAINED and
 * those of the replica site's `seal`
 */
export async function snapshot(ports: Ports, context: AttemptContext, flushed: Flushed): Promise<Snapshot> {
  const { move, n } = context.attempt;
  const { leaseMs } = context.options;
  await renewFences(ports, context, leaseMs);
  const record = await applianceOf(ports, context.from.appliance).calls.seal({
    attempt: { move, n },
    cuts: [...flushed.cuts],
    others: [...flushed.others],
    atMs: flushed.cutAtMs,
    ...(flushed.clockDoubt === undefined ? {} : { doubt: flushed.clockDoubt }),
    ...(flushed.applicationConsistent === true ? { applicationConsistent: true } : {}),
    leaseMs,
  });
  if (record.left === undefined)
    throw new MoverError('INTERNAL', 'The replica site sealed the attempt without a snapshot.');
  return { point: record.left.point, seals: record.seals };
}
