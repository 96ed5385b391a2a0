// Where a volume's history ends: rows about positions that nobody can open any more are forgotten,
// so that a site's rows are bounded by its retention and not by its age.
//
// The rules, each with the look-up that relies on it:
// 1. A span of ownership goes when it ended before the oldest position that is openable or named by
//    a point. The cut itself belongs to the span before it, so the span that ends there stays
//    (listings of a volume's points by its owners; the members of each point).
// 2. Spans go oldest first, and the last one never goes: the others stay without a gap, and an
//    epoch always has its owner (cuts of a volume that left and came back; knownPositions).
// 3. A hole goes when it ended at or before that position. An open one never goes (inHole, which
//    judges cuts from that position on; the hole's end).
// 4. The group that a volume was added to stays known (a repeated `addVolume`).
import type { VolumeId } from '../../../contracts/ids.js';
import { ownerKey } from './owners.js';
import { holeKey } from './records.js';
import type { SiteState } from './state.js';

/** How many rows were forgotten. */
export interface Forgotten {
  readonly owners: number;
  readonly holes: number;
}

/**
 * Forgets what only positions before the oldest one need.
 * @param oldest no older position of the volume can be opened, is named by a point, or will be
 */
export function forgetBefore(state: SiteState, volume: VolumeId, oldest: number): Forgotten {
  const spans = state.ownersOf(volume);
  const last = spans.at(-1);
  const kept = spans.findIndex((span) => span === last || span.toPosition === undefined || span.toPosition >= oldest);
  const gone = spans.slice(0, Math.max(0, kept));
  const [first] = gone;
  const row = state.volumes.get(volume);
  if (first !== undefined && row !== undefined && row.addedTo === undefined)
    state.volumes.put(volume, { ...row, addedTo: first.group });
  for (const span of gone) state.owners.delete(ownerKey(span));
  const holes = state.holesOf(volume).filter(({ toPosition }) => toPosition !== undefined && toPosition <= oldest);
  for (const hole of holes) state.holes.delete(holeKey(hole));
  return { owners: gone.length, holes: holes.length };
}
