// Stores a move's report at the replica site, where it outlives Temporal's history.
import type { StoredMoveReport } from '../contracts/report.js';
import { anyAppliance, type Ports } from '../control/ports.js';

/**
 * Stores a report; a repeated call replaces it.
 * @throws MoverError UNREACHABLE when no appliance answers, and those of the control call
 */
export async function storeReport(ports: Ports, report: StoredMoveReport): Promise<void> {
  await anyAppliance(ports, ({ calls }) => calls.storeReport(report));
}
