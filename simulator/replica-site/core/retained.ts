// How far back each volume's UNDO is needed: found in steps, because all points of all groups have to be looked at.
import type { VolumeId } from '../../../contracts/ids.js';
import type { PointRow } from './rows.js';
import type { SiteState } from './state.js';

/** Points looked at in one step: with the most members a group may have, about a millisecond. */
const POINTS_PER_STEP = 16;

/**
 * Looks for the oldest position that any point still names, of each of some volumes. Points that are added meanwhile are
 * seen as well; a position only counts if it lies before the ceiling given for its volume.
 */
export class RetentionWalk {
  readonly #points: Iterator<PointRow>;
  readonly #oldest: Map<VolumeId, number>;

  /** `ceilings`: of each volume in question, a position before which no point that is still to come can lie. */
  constructor(state: SiteState, ceilings: ReadonlyMap<VolumeId, number>) {
    this.#points = state.points.values();
    this.#oldest = new Map(ceilings);
  }

  /** The positions before which UNDO may go; final once `step` has returned true. */
  get oldest(): ReadonlyMap<VolumeId, number> {
    return this.#oldest;
  }

  /** @returns whether every point has been looked at. */
  step(): boolean {
    for (let count = 0; count < POINTS_PER_STEP; count += 1) {
      const next = this.#points.next();
      if (next.done === true) return true;
      for (const { volume, position } of next.value.point.members) {
        const oldest = this.#oldest.get(volume);
        if (oldest !== undefined && position < oldest) this.#oldest.set(volume, position);
      }
    }
    return false;
  }
}
