// Step 4: the "left" bookmark on the snapshot. It is pending until the commit; an aborted attempt
// leaves none.
import type { AttemptContext } from '../contracts/steps.js';
import { renewFences } from './attempt-context.js';
import { applianceOf, type Ports } from '../control/ports.js';

/** Sets the bookmark. @throws MoverError ATTEMPT_ABORTED, NOT_SEALED; those of `renewFences` */
export async function bookmark(ports: Ports, context: AttemptContext): Promise<void> {
  const { move, n } = context.attempt;
  const { leaseMs, keepLeft } = context.options;
  await renewFences(ports, context, leaseMs);
  await applianceOf(ports, context.from.appliance).calls.bookmark({
    attempt: { move, n },
    leaseMs,
    ...(keepLeft === undefined ? {} : { keep: keepLeft }),
  });
}
