// Volumes and groups as the replica site knows them, asked of any appliance: one of them by its id,
// or all groups.
import type { Endpoint } from '../contracts/attempt.js';
import { type ErrorCode, MoverError } from '../contracts/errors.js';
import type { GroupId, VolumeId } from '../contracts/ids.js';
import type { SiteGroup, SiteVolume } from '../contracts/replica-site-api.js';
import { anyAppliance, type Ports } from './ports.js';

/**
 * All groups of the site, page by page: for listings. What a step asks of one group it asks with
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
 * One group; undefined when there is none of that id.
 * @throws MoverError UNREACHABLE when no appliance answers.
 */
export async function findGroup(ports: Ports, group: GroupId): Promise<SiteGroup | undefined> {
  const found = await orUndefined(
    'GROUP_NOT_FOUND',
    anyAppliance(ports, ({ calls }) => calls.siteGroups({ group })),
  );
  return found?.groups[0];
}

/** @throws MoverError GROUP_NOT_FOUND, UNREACHABLE */
export async function requireGroup(ports: Ports, id: GroupId): Promise<SiteGroup> {
  const group = await findGroup(ports, id);
  if (group === undefined) throw new MoverError('GROUP_NOT_FOUND', `There is no consistency group "${id}".`);
  return group;
}

/**
 * Where a group is served; undefined when there is none, or the estate does not know its appliance.
 */
export function endpointOf(ports: Ports, group: SiteGroup | undefined): Endpoint | undefined {
  const appliance = group === undefined ? undefined : ports.appliances.get(group.appliance);
  return group === undefined || appliance === undefined
    ? undefined
    : { group: group.group, appliance: appliance.id, url: appliance.url };
}

/**
 * One volume; undefined when there is none of that id.
 * @throws MoverError UNREACHABLE when no appliance answers.
 */
export async function findVolume(ports: Ports, volume: VolumeId): Promise<SiteVolume | undefined> {
  const found = await orUndefined(
    'VOLUME_NOT_FOUND',
    anyAppliance(ports, ({ calls }) => calls.siteVolumes({ volume })),
  );
  return found?.volumes[0];
}

/** The answer, or undefined when the call is refused with this code: there is no such thing. */
export async function orUndefined<T>(code: ErrorCode, answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof MoverError && error.code === code) return undefined;
    throw error;
  }
}
