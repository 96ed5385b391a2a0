// Looks up volumes, groups and retired processes of the replica site through any appliance: one by
// its id, or all.
import type { Endpoint } from '../contracts/attempt.js';
import { type ErrorCode, MoverError } from '../contracts/errors.js';
import type { ApplianceId, GroupId, SplitterId, VolumeId } from '../contracts/ids.js';
import type { InventoryVolume } from '../contracts/inventory.js';
import type { SiteGroup, SiteVolume } from '../contracts/replica-site-api.js';
import { anyAppliance, type Ports } from './ports.js';

/**
 * Reads all groups of the site, page by page, for listings. A step that needs one group uses
 * `findGroup`, whose cost does not grow with the estate.
 * @throws MoverError UNREACHABLE when no appliance answers.
 */
export async function findGroups(ports: Ports): Promise<SiteGroup[]> {
  const groups: SiteGroup[] = [];
  let cursor: string | undefined;
  do {
    const page = await anyAppliance(ports, (appliance) =>
      appliance.calls.siteGroups(cursor === undefined ? {} : { cursor }),
    );
    groups.push(...page.groups);
    cursor = page.next;
  } while (cursor !== undefined);
  return groups;
}

/**
 * Finds one group; undefined when none has the id.
 * @throws MoverError UNREACHABLE when no appliance answers.
 */
export async function findGroup(ports: Ports, group: GroupId): Promise<SiteGroup | undefined> {
  const found = await orUndefined(
    'GROUP_NOT_FOUND',
    anyAppliance(ports, ({ calls }) => calls.siteGroups({ group })),
  );
  return found?.groups[0];
}

/** Finds one group. @throws MoverError GROUP_NOT_FOUND, UNREACHABLE */
export async function requireGroup(ports: Ports, id: GroupId): Promise<SiteGroup> {
  const group = await findGroup(ports, id);
  if (group === undefined) throw new MoverError('GROUP_NOT_FOUND', `There is no consistency group "${id}".`);
  return group;
}

/** A group, and the appliance that serves it. */
export type GroupPlace = Pick<SiteGroup, 'group' | 'appliance'>;

/**
 * Where a group is served; undefined without a group, or when the estate does not know its
 * appliance.
 */
export function endpointOf(ports: Ports, group: GroupPlace | undefined): Endpoint | undefined {
  const appliance = group === undefined ? undefined : ports.appliances.get(group.appliance);
  return group === undefined || appliance === undefined
    ? undefined
    : { group: group.group, appliance: appliance.id, url: appliance.url };
}

/**
 * Finds one volume; undefined when none has the id.
 * @throws MoverError UNREACHABLE when no appliance answers.
 */
export async function findVolume(ports: Ports, volume: VolumeId): Promise<SiteVolume | undefined> {
  const found = await orUndefined(
    'VOLUME_NOT_FOUND',
    anyAppliance(ports, ({ calls }) => calls.siteVolumes({ volume })),
  );
  return found?.volumes[0];
}

/** Finds a volume. @throws MoverError VOLUME_NOT_FOUND; UNREACHABLE when no appliance answers */
export async function requireVolume(ports: Ports, id: VolumeId): Promise<SiteVolume> {
  const volume = await findVolume(ports, id);
  if (volume === undefined) throw new MoverError('VOLUME_NOT_FOUND', `There is no volume "${id}".`);
  return volume;
}

/**
 * Reads the inventory of the site, page by page: the names and places of all volumes that are not
 * retired.
 * @throws MoverError UNREACHABLE when no appliance answers.
 */
export async function findInventory(ports: Ports): Promise<InventoryVolume[]> {
  const volumes: InventoryVolume[] = [];
  let cursor: string | undefined;
  do {
    const page = cursor === undefined ? {} : { cursor };
    const answer = await anyAppliance(ports, ({ calls }) => calls.inventory(page));
    volumes.push(...answer.volumes);
    cursor = answer.next;
  } while (cursor !== undefined);
  return volumes;
}

/** The appliances and splitters that were retired. */
export interface RetiredProcesses {
  readonly appliances: ReadonlySet<ApplianceId>;
  readonly splitters: ReadonlySet<SplitterId>;
}

/** @throws MoverError UNREACHABLE when no appliance answers. */
export async function findRetiredProcesses(ports: Ports): Promise<RetiredProcesses> {
  const { appliances, splitters } = await anyAppliance(ports, ({ calls }) => calls.retiredProcesses({}));
  return { appliances: new Set(appliances), splitters: new Set(splitters) };
}

/** The answer; undefined when the call is refused with this code. */
export async function orUndefined<T>(code: ErrorCode, answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof MoverError && error.code === code) return undefined;
    throw error;
  }
}
