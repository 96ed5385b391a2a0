// Fault injection works only in a process that was started for it.
import { MoverError } from '../../contracts/errors.js';

/**
 * Refuses a fault call unless the process was started with VOLUME_MOVER_FAULTS=1.
 * @throws MoverError ROUTE_NOT_FOUND
 */
export function requireFaults(allowed: boolean): void {
  if (allowed) return;
  throw new MoverError(
    'ROUTE_NOT_FOUND',
    'Faults can only be injected into a process that was started with VOLUME_MOVER_FAULTS=1.',
  );
}
