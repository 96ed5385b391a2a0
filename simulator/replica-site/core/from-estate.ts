// Takes over the estate file into the rows. The site itself knows better which group a volume is in
// now.
import { isDeepStrictEqual } from 'node:util';
import type { Estate } from '../../../contracts/estate.js';
import type { GroupId } from '../../../contracts/ids.js';
import { reviveGroup } from './lifecycle.js';
import { beginOwnership } from './owners.js';
import { type GivenSettings, groupSettings, withSettings } from './rows.js';
import type { SiteState } from './state.js';

const MIB = 1024 * 1024;
const FIRST_EPOCH = 1;
const NOTHING_KEPT = { bytes: 0, pointsDropped: 0 };

/**
 * Adds new groups and volumes. For known ones, takes over a group's settings where the file says
 * something new, and a volume's splitter, VM and labels. What the file leaves out stays: it is
 * protected until a person retires it. A retired appliance or splitter comes back with the first
 * group or volume that the file newly gives to it. What has the name of a known volume or group, in
 * capitals or not, is not added.
 */
export function followEstate(state: SiteState, estate: Estate, wallMs: number): void {
  const names = namesOf(state);
  const isFree = (kind: 'volume' | 'group', id: string): boolean =>
    [undefined, `${kind} ${id}`].includes(names.get(id.toLowerCase()));
  for (const { id, ...declared } of estate.groups) if (isFree('group', id)) followGroup(state, id, declared);
  for (const splitter of estate.splitters) {
    for (const { id, sizeMiB, group, vm, labels } of splitter.volumes) {
      const named = { ...(vm === undefined ? {} : { vm }), ...(labels === undefined ? {} : { labels }) };
      // It exists, though unreadable: added as a new volume it would begin again at epoch 1.
      if (state.volumes.unreadable.has(id)) continue;
      const known = state.volumes.get(id);
      if (known === undefined) {
        if (!isFree('volume', id) || !isFree('group', group)) continue;
        reviveGroup(state, group);
        state.bringBack('splitter', splitter.id);
        state.volumes.put(id, {
          volume: id,
          splitter: splitter.id,
          sizeBytes: sizeMiB * MIB,
          group,
          epoch: FIRST_EPOCH,
          session: 0,
          sealed: false,
          ...named,
        });
        continue;
      }
      if (known.retired !== undefined) continue;
      const { vm: knownVm, labels: knownLabels, ...rest } = known;
      const same = known.splitter === splitter.id && knownVm === vm && isDeepStrictEqual(knownLabels, labels);
      if (same) continue;
      state.bringBack('splitter', splitter.id);
      state.volumes.put(id, { ...rest, splitter: splitter.id, ...named });
    }
  }
  const knownOwners = new Set([...state.owners.unreadable.keys()].map((key) => key.slice(0, key.lastIndexOf(':'))));
  for (const row of state.volumes.values())
    if (row.forgetting === undefined && !knownOwners.has(row.volume) && state.ownersOf(row.volume).length === 0)
      beginOwnership(state, row, { position: 0, atMs: wallMs });
}

function followGroup(state: SiteState, group: GroupId, file: GivenSettings): void {
  const known = state.groups.get(group);
  if (known === undefined) {
    const declared = groupSettings(file);
    state.bringBack('appliance', declared.appliance);
    state.groups.put(group, { group, ...declared, lastPointAtMs: 0, journal: NOTHING_KEPT, declared });
    return;
  }
  // The splitters of its volumes send to the appliance that it has: with another one no point would
  // be closed any more. What the file says of it counts once the group is empty.
  const waits = state.memberCount(group) > 0 && file.appliance !== known.appliance;
  const said = waits ? (known.declared?.appliance ?? known.appliance) : file.appliance;
  const declared = groupSettings({ ...file, appliance: said });
  if (isDeepStrictEqual(known.declared, declared)) return;
  // Volumes may come back into it: it stays as it was promised until their ways back have ended.
  if (state.unendedWaysBack(group).length > 0) return;
  const appliance = said === known.declared?.appliance ? known.appliance : said;
  if (known.retired === undefined) state.bringBack('appliance', appliance);
  state.groups.put(group, { ...withSettings(known, { ...declared, appliance }), declared });
}

/** Which known volume or group has each name, in lower case. */
function namesOf(state: SiteState): ReadonlyMap<string, string> {
  const volumes = [...[...state.volumes.values()].map(({ volume }) => volume), ...state.volumes.unreadable.keys()];
  const groups = [...[...state.groups.values()].map(({ group }) => group), ...state.groups.unreadable.keys()];
  return new Map([
    ...volumes.map((id) => [id.toLowerCase(), `volume ${id}`] as const),
    ...groups.map((id) => [id.toLowerCase(), `group ${id}`] as const),
  ]);
}
