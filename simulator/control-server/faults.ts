// Faults are injected only where a process was started for it.
import { MoverError } from '../../contracts/errors.js';

/** @throws MoverError ROUTE_NOT_FOUND unless the process was started with VOLUME_MOVER_FAULTS=1 */
export function requireFaults(allowed: boolean): void {
  if (allowed) return;
  throw new MoverError(
    'ROUTE_NOT_FOUND',
    'Faults can only be injected into a process that was started with VOLUME_MOVER_FAULTS=1.',
  );
}
