// Named recovery points: closed now under a name, or an earlier point named, or kept longer.
import { requireGroup } from '../../control/site-lookup.js';
import { anyAppliance, applianceOf, type Ports } from '../../control/ports.js';
import { applianceApi } from '../../contracts/appliance-api.js';
import { parseOrRefuse } from '../../contracts/errors.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import type { InputOf } from '../../contracts/route.js';

/**
 * Without a name it is a point like those that the clock closes. Kept as the group's policy says
 * unless `keep` says otherwise.
 */
export type ClosePointInput = InputOf<typeof applianceApi.closePoint>;
/** Without a name the point's bookmark keeps the one it has. */
export type MarkPointInput = InputOf<typeof applianceApi.markPoint>;

/**
 * Asks the appliance that serves the group, and no other: it alone knows the group's splitters.
 * @throws MoverError INVALID_REQUEST, GROUP_NOT_FOUND, GROUP_PAUSED, UNREACHABLE
 */
export async function closePoint(ports: Ports, input: ClosePointInput): Promise<RecoveryPoint> {
  const asked = parseOrRefuse(applianceApi.closePoint.input, input, 'bookmark');
  const { appliance } = await requireGroup(ports, asked.group);
  return await applianceOf(ports, appliance).calls.closePoint(asked);
}

/**
 * @throws MoverError INVALID_REQUEST (no name yet, or a move's bookmark would be renamed),
 * POINT_NOT_FOUND, UNREACHABLE
 */
export async function markPoint(ports: Ports, input: MarkPointInput): Promise<RecoveryPoint> {
  const asked = parseOrRefuse(applianceApi.markPoint.input, input, 'bookmark');
  return await anyAppliance(ports, ({ calls }) => calls.markPoint(asked));
}
