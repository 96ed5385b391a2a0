// Listings of volumes by filter, a page at a time and ordered by id. A page costs only the page.
import type { GroupId, VolumeId } from '../../../contracts/ids.js';
import { type InventoryVolume, labelsOfQuery } from '../../../contracts/inventory.js';
import { GROUP_MEMBERS_MAX } from '../../../contracts/group-size.js';
import type { Page, PageInput } from './listings.js';
import { matchesPattern, prefixOf } from './name-pattern.js';
import type { VolumeRow } from './rows.js';
import type { SiteState } from './state.js';

export interface VolumeFilter {
  readonly group?: GroupId | undefined;
  readonly volume?: VolumeId | undefined;
  readonly vm?: string | undefined;
  readonly namePattern?: string | undefined;
  readonly labels?: string | undefined;
}

/**
 * One page of volumes. Their journals must be opened before they can be shown in full.
 * @throws MoverError VOLUME_NOT_FOUND; INVALID_REQUEST for labels that can't be read
 */
export function pageOfVolumes(
  state: SiteState,
  { cursor, limit, ...filter }: PageInput & VolumeFilter,
): Page<VolumeRow> {
  const matches = matcherOf(filter);
  const items: VolumeRow[] = [];
  for (const row of candidates(state, filter, cursor)) {
    if (!matches(row)) continue;
    const last = items.at(-1);
    if (items.length === limit && last !== undefined) return { items, next: last.volume };
    items.push(row);
  }
  return { items };
}

/** @throws MoverError GROUP_NOT_FOUND */
export function inventoryVolume(state: SiteState, row: VolumeRow): InventoryVolume {
  const { volume, splitter, sizeBytes, group, vm, labels } = row;
  const { appliance } = state.group(group);
  return {
    volume,
    splitter,
    sizeBytes,
    group,
    appliance,
    ...(vm === undefined ? {} : { vm }),
    ...(labels === undefined ? {} : { labels: { ...labels } }),
  };
}

/** A retired volume is listed only when it is asked for by its id. */
function matcherOf({ group, volume, vm, namePattern, labels }: VolumeFilter): (row: VolumeRow) => boolean {
  const wanted = labels === undefined ? [] : Object.entries(labelsOfQuery(labels));
  return (row) =>
    (row.retired === undefined || (volume !== undefined && group === undefined)) &&
    (group === undefined || row.group === group) &&
    (vm === undefined || row.vm === vm) &&
    (namePattern === undefined || matchesPattern(namePattern, row.volume)) &&
    wanted.every(
      ([key, value]) => row.labels !== undefined && Object.hasOwn(row.labels, key) && row.labels[key] === value,
    );
}

/** Volumes that may match, ordered by id: as few as an index can tell. */
function* candidates(state: SiteState, filter: VolumeFilter, cursor: string | undefined): Generator<VolumeRow, void> {
  const { volume, group, vm, namePattern } = filter;
  if (volume !== undefined) {
    const row = state.volume(volume);
    if (cursor === undefined || volume > cursor) yield row;
    return;
  }
  const few = [
    ...(group === undefined ? [] : [state.membersOf(group)]),
    ...(vm === undefined ? [] : [state.disksOf(vm)]),
  ].find((rows) => rows.length <= GROUP_MEMBERS_MAX);
  if (few !== undefined) {
    const after = few.filter((row) => cursor === undefined || row.volume > cursor);
    yield* after.toSorted((a, b) => (a.volume < b.volume ? -1 : 1));
    return;
  }
  const prefix = namePattern === undefined ? '' : prefixOf(namePattern);
  if (cursor === undefined || cursor < prefix) {
    // The prefix itself may be a volume; `volumesAfter` begins after it.
    const exact = prefix === '' ? undefined : state.volumes.get(prefix);
    if (exact !== undefined) yield exact;
  }
  for (const row of state.volumesAfter(cursor === undefined || cursor < prefix ? prefix : cursor)) {
    if (!row.volume.startsWith(prefix)) return;
    yield row;
  }
}
