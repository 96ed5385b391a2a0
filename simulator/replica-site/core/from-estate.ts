// What the estate file says that the replica site has not heard of yet. Where a volume is now, the site itself knows better.
import type { Estate } from '../../../contracts/estate.js';
import type { SiteState } from './state.js';

const MIB = 1024 * 1024;
const FIRST_EPOCH = 1;

/** Adds new groups and volumes; of known ones only a group's settings and a volume's host follow the file. @returns sentences about what contradicts it. */
export function followEstate(state: SiteState, estate: Estate): string[] {
  for (const { id, appliance, volumesMax, pointEveryMs } of estate.groups) {
    const known = state.groups.get(id);
    const same =
      known?.appliance === appliance && known.volumesMax === volumesMax && known.pointEveryMs === pointEveryMs;
    if (!same)
      state.groups.put(id, {
        group: id,
        appliance,
        volumesMax,
        pointEveryMs,
        lastPointAtMs: known?.lastPointAtMs ?? 0,
      });
  }
  const contradictions: string[] = [];
  for (const splitter of estate.splitters) {
    for (const { id, sizeMiB, group } of splitter.volumes) {
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
        });
        continue;
      }
      if (known.splitter !== splitter.id) state.volumes.put(id, { ...known, splitter: splitter.id });
      if (known.sizeBytes !== sizeBytes) {
        contradictions.push(
          `Volume "${id}" has ${known.sizeBytes} bytes here, not the ${sizeBytes} of the estate file: sizes can't be changed.`,
        );
      }
    }
  }
  return contradictions;
}
