// Reads the next ticket. The workflow keeps it before it plans an attempt, so that the replica site
// can tell a late call of that attempt once it has forgotten it.
import { MoverError } from '../contracts/errors.js';
import { anyAppliance, type Ports } from '../control/ports.js';

/**
 * The next ticket; undefined from an appliance of an earlier version, which forgets no attempt.
 * @throws MoverError UNREACHABLE when no appliance answers
 */
export async function ticketFloor(ports: Ports): Promise<number | undefined> {
  try {
    const { floor } = await anyAppliance(ports, async ({ calls }) => calls.ticketFloor({}));
    return floor;
  } catch (error) {
    if (error instanceof MoverError && error.code === 'ROUTE_NOT_FOUND') return undefined;
    throw error;
  }
}
