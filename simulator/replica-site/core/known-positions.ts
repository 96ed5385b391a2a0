// How far each volume's lineage went, according to the rows: its journal must still go so far.
import type { VolumeId } from '../../../contracts/ids.js';
import type { SiteState } from './state.js';

/**
 * The highest position of each volume that a point or an owner names: it was durable before it was
 * named.
 */
export function knownPositions(state: SiteState): ReadonlyMap<VolumeId, number> {
  const known = new Map<VolumeId, number>();
  const note = (volume: VolumeId, position: number): void => {
    if (position > (known.get(volume) ?? 0)) known.set(volume, position);
  };
  for (const { point } of state.points.values()) {
    // Provisional members may name writes that are still behind a fence.
    for (const { volume, position, provisional } of point.members)
      if (provisional === undefined) note(volume, position);
  }
  for (const { owner } of state.owners.values()) note(owner.volume, owner.fromPosition);
  return known;
}
