// Takes over the estate file into the rows. The site itself knows better which group a volume is in
// now.
import { isDeepStrictEqual } from 'node:util';
import type { Estate } from '../../../contracts/estate.js';
import { beginOwnership } from './owners.js';
import type { SiteState } from './state.js';

const MIB = 1024 * 1024;
const FIRST_EPOCH = 1;
const NOTHING_KEPT = { bytes: 0, pointsDropped: 0 };

/**
 * Adds new groups and volumes. For known ones, takes over a group's settings, and a volume's
 * splitter, VM and labels.
 * @returns sentences about what contradicts the file.
 */
export function followEstate(state: SiteState, estate: Estate, wallMs: number): string[] {
  for (const { id, appliance, volumesMax, pointEveryMs, retention } of estate.groups) {
    const known = state.groups.get(id);
    const same =
      known?.appliance === appliance &&
      known.volumesMax === volumesMax &&
      known.pointEveryMs === pointEveryMs &&
      isDeepStrictEqual(known.retention, retention);
    if (!same)
      state.groups.put(id, {
        group: id,
        appliance,
        volumesMax,
        pointEveryMs,
        lastPointAtMs: known?.lastPointAtMs ?? 0,
        ...(known?.lastOrder === undefined ? {} : { lastOrder: known.lastOrder }),
        ...(known?.snapshots === undefined ? {} : { snapshots: known.snapshots }),
        retention,
        journal: known?.journal ?? NOTHING_KEPT,
      });
  }
  const contradictions: string[] = [];
  for (const splitter of estate.splitters) {
    for (const { id, sizeMiB, group, vm, labels } of splitter.volumes) {
      const named = { ...(vm === undefined ? {} : { vm }), ...(labels === undefined ? {} : { labels }) };
      // It exists, though unreadable: added as a new volume it would begin again at epoch 1.
      if (state.volumes.unreadable.has(id)) continue;
      const known = state.volumes.get(id);
      const sizeBytes = sizeMiB * MIB;
      if (known === undefined) {
        state.volumes.put(id, {
          volume: id,
          splitter: splitter.id,
          sizeBytes,
          group,
          epoch: FIRST_EPOCH,
          session: 0,
          sealed: false,
          ...named,
        });
        continue;
      }
      const { vm: knownVm, labels: knownLabels, ...rest } = known;
      const same = known.splitter === splitter.id && knownVm === vm && isDeepStrictEqual(knownLabels, labels);
      if (!same) state.volumes.put(id, { ...rest, splitter: splitter.id, ...named });
      if (known.sizeBytes !== sizeBytes) {
        contradictions.push(
          `Volume "${id}" has ${known.sizeBytes} bytes here, not the ${sizeBytes} of the estate file: sizes can't be changed.`,
        );
      }
    }
  }
  const knownOwners = new Set([...state.owners.unreadable.keys()].map((key) => key.slice(0, key.lastIndexOf(':'))));
  for (const row of state.volumes.values())
    if (!knownOwners.has(row.volume) && state.ownersOf(row.volume).length === 0)
      beginOwnership(state, row, { position: 0, atMs: wallMs });
  return contradictions;
}
