// Where the estate file differs from what the site protects. The site goes on with what it has: a
// line that is missing in a file must not end protection.
import type { Estate } from '../../../contracts/estate.js';
import type { GroupId, VolumeId } from '../../../contracts/ids.js';
import type { SiteState } from './state.js';

const MIB = 1024 * 1024;

/** One difference, for as long as it is there. */
export interface Drift {
  readonly sentence: string;
  /** Whether it is still there: a person may have ended it at run time. */
  readonly holds: (state: SiteState) => boolean;
}

/** Compares the rows, after they followed the file, with the file. */
export function estateDrift(state: SiteState, estate: Estate): Drift[] {
  return [...notAdded(state, estate), ...groupDrift(state, estate), ...volumeDrift(state, estate)];
}

/** What the file has and the site did not add: a name belongs to something else. */
function* notAdded(state: SiteState, { groups, splitters }: Estate): Generator<Drift, void> {
  const isGroup = (now: SiteState, id: GroupId): boolean => now.groups.get(id) !== undefined;
  const isVolume = (now: SiteState, id: VolumeId): boolean => now.volumes.get(id) !== undefined;
  for (const { id } of groups)
    if (!isGroup(state, id) && !state.groups.unreadable.has(id))
      yield {
        sentence: `Group "${id}" of the estate file was not added: its name belongs to ${namesake(state, id)}. Give it another name in the file.`,
        holds: (now) => !isGroup(now, id),
      };
  for (const { id, group } of splitters.flatMap(({ volumes }) => volumes))
    if (!isVolume(state, id) && !state.volumes.unreadable.has(id))
      yield {
        sentence: `Volume "${id}" of the estate file was not added: ${isGroup(state, group) ? `its name belongs to ${namesake(state, id)}` : `there is no group "${group}"`}. It is not protected. Give it another name or group in the file.`,
        holds: (now) => !isVolume(now, id),
      };
}

/** The volume or group that has the name, in capitals or not. */
function namesake(state: SiteState, id: string): string {
  const name = id.toLowerCase();
  for (const { volume } of state.volumes.values()) if (volume.toLowerCase() === name) return `volume "${volume}"`;
  for (const { group } of state.groups.values()) if (group.toLowerCase() === name) return `group "${group}"`;
  return 'something whose row is damaged';
}

function* groupDrift(state: SiteState, estate: Estate): Generator<Drift, void> {
  const declared = new Map(estate.groups.map((group) => [group.id, group]));
  const appliances = new Set(estate.appliances.map(({ id }) => id));
  for (const { group, appliance } of state.groups.values()) {
    const members = state.memberCount(group);
    if (members === 0) continue;
    const holds = (now: SiteState): boolean => now.memberCount(group) > 0;
    const file = declared.get(group);
    if (!appliances.has(appliance))
      yield {
        sentence: `Appliance "${appliance}" is not in the estate file, but serves group "${group}" with ${members} volumes: no recovery point of them is closed while it does not run. Put the appliance back into the file, start it, and move the volumes away first.`,
        holds,
      };
    if (file === undefined)
      yield {
        sentence: `Group "${group}" is not in the estate file, but owns ${members} volumes. They stay protected, and its recovery points go on. Put the group back into the file, or move its volumes to another group.`,
        holds,
      };
    else if (file.appliance !== appliance)
      yield {
        sentence: `The estate file gives group "${group}" to appliance "${file.appliance}", but ${members} volumes of it are protected through "${appliance}". It stays there: move its volumes to a group of "${file.appliance}" instead.`,
        holds,
      };
  }
}

function* volumeDrift(state: SiteState, estate: Estate): Generator<Drift, void> {
  const declared = new Map(
    estate.splitters.flatMap(({ volumes }) => volumes.map(({ id, sizeMiB }) => [id, sizeMiB] as const)),
  );
  for (const { volume, splitter, sizeBytes, retired } of state.volumes.values()) {
    const sizeMiB = declared.get(volume);
    if (retired !== undefined) {
      if (sizeMiB !== undefined)
        yield {
          sentence: `Volume "${volume}" is in the estate file, but was retired: it is not protected. Remove it from the file.`,
          holds: (now) => now.volumes.get(volume)?.retired !== undefined,
        };
    } else if (sizeMiB === undefined)
      yield {
        sentence: `Volume "${volume}" of splitter "${splitter}" is not in the estate file. It stays protected. Put it back into the file, or end its protection: volume-mover volume retire ${volume}`,
        holds: (now) => isProtected(now, volume),
      };
    else if (sizeMiB * MIB !== sizeBytes)
      yield {
        sentence: `Volume "${volume}" has ${sizeBytes / MIB} MiB, and ${sizeMiB} MiB in the estate file. It stays protected with the size it has. ${sizeAdvice(volume, sizeMiB, sizeBytes)}`,
        holds: (now) => isProtected(now, volume) && now.volumes.get(volume)?.sizeBytes === sizeBytes,
      };
  }
}

/** Whether the volume is there and replicated: it was neither retired nor forgotten since. */
function isProtected({ volumes }: SiteState, volume: VolumeId): boolean {
  const row = volumes.get(volume);
  return row !== undefined && row.retired === undefined;
}

function sizeAdvice(volume: string, sizeMiB: number, sizeBytes: number): string {
  return sizeMiB * MIB > sizeBytes
    ? `Correct sizeMiB in the file, or make it as large: volume-mover volume grow ${volume} --size ${sizeMiB}MiB`
    : 'No volume can be made smaller. Correct sizeMiB in the file.';
}
