// The plan of a move, with this program's findings about clocks.
import { planMove } from '../../activities/plan.js';
import type { Estate } from '../../contracts/estate.js';
import type { MovePlan, ParsedMoveInput } from '../../contracts/move.js';
import type { Ports } from '../../control/ports.js';
import { workerClockWarnings } from './worker-clock.js';

/** Plans a move and adds the worker's clock; the plan itself compares all others. */
export async function planWithClocks(ports: Ports, estate: Estate, input: ParsedMoveInput): Promise<MovePlan> {
  const [plan, worker] = await Promise.all([planMove(ports, input), workerClockWarnings(estate)]);
  const warnings = [...(plan.warnings ?? []), ...worker];
  return warnings.length === 0 ? plan : { ...plan, warnings };
}
