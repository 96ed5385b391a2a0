// Lists volumes and groups, combining the views of the replica site and the splitters.
import { anyAppliance, type Ports, orNothing } from '../../control/ports.js';
import { findGroups } from '../../control/site-lookup.js';
import type { GroupState } from '../../contracts/appliance-api.js';
import type { GroupId, VolumeId } from '../../contracts/ids.js';
import { type Labels, labelsQuery } from '../../contracts/inventory.js';
import type { SiteGroup, SiteVolume } from '../../contracts/replica-site-api.js';
import type { SplitterVolume } from '../../contracts/splitter-api.js';

/** A volume as the replica site and its splitter see it. */
export interface ListedVolume extends SiteVolume {
  /** Undefined when the splitter does not answer or does not serve the volume. */
  readonly splitterView: SplitterVolume | undefined;
  /** Why the splitter does not serve the volume, which is then not protected. */
  readonly unusable?: string | undefined;
}

export interface ListedGroup extends SiteGroup {
  /** UNREACHABLE when the group's appliance does not answer; RETIRED once a person ended it. */
  readonly state: GroupState | 'UNREACHABLE' | 'RETIRED';
  readonly lastPoint?: { readonly id: string; readonly atMs: number } | undefined;
}

/** Filters of a listing. A volume must match all that are given. */
export interface VolumeFilter {
  readonly group?: GroupId | undefined;
  readonly vm?: string | undefined;
  /** A pattern for the volume's id: `*` stands for any characters, `?` for one. */
  readonly namePattern?: string | undefined;
  readonly labels?: Labels | undefined;
}

/**
 * Lists volumes. @throws MoverError UNREACHABLE when no appliance answers for the replica site;
 * INVALID_REQUEST.
 */
export async function listVolumes(ports: Ports, filter: VolumeFilter = {}): Promise<ListedVolume[]> {
  const [site, views] = await Promise.all([siteVolumes(ports, filter), splitterViews(ports)]);
  return site.map((volume) => {
    const unusable = views.unusable.get(volume.volume);
    const splitterView = views.served.get(volume.volume);
    return unusable === undefined ? { ...volume, splitterView } : { ...volume, splitterView, unusable };
  });
}

/** Lists groups. @throws MoverError UNREACHABLE when no appliance answers for the replica site. */
export async function listGroups(ports: Ports): Promise<ListedGroup[]> {
  const [site, views] = await Promise.all([findGroups(ports), groupViews(ports)]);
  return site.map((group) => {
    const view = views.get(group.group);
    const state = group.retired === undefined ? (view?.state ?? 'UNREACHABLE') : 'RETIRED';
    return { ...group, state, lastPoint: view?.lastPoint };
  });
}

async function siteVolumes(ports: Ports, { labels, ...filter }: VolumeFilter = {}): Promise<SiteVolume[]> {
  const named = labels === undefined || Object.keys(labels).length === 0 ? {} : { labels: labelsQuery(labels) };
  const volumes: SiteVolume[] = [];
  let cursor: string | undefined;
  do {
    const page = { ...filter, ...named, ...(cursor === undefined ? {} : { cursor }) };
    const answer = await anyAppliance(ports, ({ calls }) => calls.siteVolumes(page));
    volumes.push(...answer.volumes);
    cursor = answer.next;
  } while (cursor !== undefined);
  return volumes;
}

interface SplitterViews {
  readonly served: ReadonlyMap<VolumeId, SplitterVolume>;
  readonly unusable: ReadonlyMap<VolumeId, string>;
}

async function splitterViews(ports: Ports): Promise<SplitterViews> {
  const asked = [...ports.splitters.values()].map(async ({ calls }) => [await calls.inventory({})]);
  const answers = (await Promise.all(asked.map((answer) => orNothing(answer)))).flat();
  return {
    served: new Map(answers.flatMap(({ volumes }) => volumes.map((view) => [view.volume, view] as const))),
    unusable: new Map(
      answers.flatMap(({ unusable = [] }) => unusable.map(({ volume, reason }) => [volume, reason] as const)),
    ),
  };
}

async function groupViews(
  ports: Ports,
): Promise<Map<GroupId, { state: GroupState; lastPoint: ListedGroup['lastPoint'] }>> {
  const asked = [...ports.appliances.values()].map(async ({ id, calls }) => {
    const { groups } = await calls.groups({});
    return groups.filter(({ appliance }) => appliance === id);
  });
  const groups = (await Promise.all(asked.map((served) => orNothing(served)))).flat();
  return new Map(groups.map(({ group, state, lastPoint }) => [group, { state, lastPoint }]));
}
