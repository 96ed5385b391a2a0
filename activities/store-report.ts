// After a move: its report goes to the replica site, where it stays when Temporal's history is
// gone.
import type { StoredMoveReport } from '../contracts/report.js';
import { anyAppliance, type Ports } from '../control/ports.js';

/**
 * Stored again it takes its own place.
 * @throws MoverError UNREACHABLE when no appliance answers, and as the control call
 */
export async function storeReport(ports: Ports, report: StoredMoveReport): Promise<void> {
  await anyAppliance(ports, ({ calls }) => calls.storeReport(report));
}
