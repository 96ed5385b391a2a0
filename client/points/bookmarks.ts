// Bookmarks: closes a point under a name, names an earlier point, or changes how long one is kept.
import { requireGroup } from '../../control/site-lookup.js';
import { anyAppliance, applianceOf, type Ports } from '../../control/ports.js';
import { applianceApi } from '../../contracts/appliance-api.js';
import { parseOrRefuse } from '../../contracts/errors.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import type { InputOf } from '../../contracts/route.js';

/**
 * Input for closing a point. Without a name the point is ordinary. The group's policy keeps it
 * unless `keep` says otherwise.
 */
export type ClosePointInput = InputOf<typeof applianceApi.closePoint>;
/** Input for naming a point. If it has no name, the bookmark keeps its present one. */
export type MarkPointInput = InputOf<typeof applianceApi.markPoint>;

/** Input for locking a bookmark: for how long from now on, who asks, and why. */
export type LockPointInput = InputOf<typeof applianceApi.lockPoint>;

/**
 * Closes a point. It asks the appliance that serves the group: only that one knows the group's
 * splitters.
 * @throws MoverError INVALID_REQUEST, GROUP_NOT_FOUND, GROUP_PAUSED, UNREACHABLE
 */
export async function closePoint(ports: Ports, input: ClosePointInput): Promise<RecoveryPoint> {
  const asked = parseOrRefuse(applianceApi.closePoint.input, input, 'bookmark');
  const { appliance } = await requireGroup(ports, asked.group);
  return await applianceOf(ports, appliance).calls.closePoint(asked);
}

/**
 * Names a point. @throws MoverError INVALID_REQUEST (no name yet, or a move's bookmark would be
 * renamed), POINT_NOT_FOUND, UNREACHABLE
 */
export async function markPoint(ports: Ports, input: MarkPointInput): Promise<RecoveryPoint> {
  const asked = parseOrRefuse(applianceApi.markPoint.input, input, 'bookmark');
  return await anyAppliance(ports, ({ calls }) => calls.markPoint(asked));
}

/**
 * Locks a bookmark. @throws MoverError INVALID_REQUEST (no bookmark, or a move's without a
 * verdict), POINT_NOT_FOUND, BOOKMARK_LOCKED (it is locked for longer), UNREACHABLE
 */
export async function lockPoint(ports: Ports, input: LockPointInput): Promise<RecoveryPoint> {
  const asked = parseOrRefuse(applianceApi.lockPoint.input, input, 'lock');
  return await anyAppliance(ports, ({ calls }) => calls.lockPoint(asked));
}
