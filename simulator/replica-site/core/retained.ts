// Which positions of each volume's lineage any point of any group still names: found in steps,
// because all points have to be looked at.
import type { PointId, VolumeId } from '../../../contracts/ids.js';
import type { PointRow } from './rows.js';
import type { SiteState } from './state.js';

/** Points looked at in one step: with the most members a group may have, about a millisecond. */
const POINTS_PER_STEP = 16;

/**
 * Positions of one volume, each with the point that it is kept for: the oldest of those that name
 * it.
 */
export type NamedPositions = ReadonlyMap<number, PointId>;

export class RetentionWalk {
  readonly #points: Iterator<PointRow>;
  readonly #named: Map<VolumeId, Map<number, PointId>>;

  /**
   * @param volumes those in question. Points that are added while the walk goes on are seen as
   * well.
   */
  constructor(state: SiteState, volumes: Iterable<VolumeId>) {
    this.#points = state.points.values();
    this.#named = new Map([...volumes].map((volume) => [volume, new Map<number, PointId>()]));
  }

  /** Final once `step` has returned true. */
  get named(): ReadonlyMap<VolumeId, NamedPositions> {
    return this.#named;
  }

  /** @returns whether every point has been looked at. */
  step(): boolean {
    for (let count = 0; count < POINTS_PER_STEP; count += 1) {
      const next = this.#points.next();
      if (next.done === true) return true;
      const { id, members } = next.value.point;
      for (const { volume, position } of members) {
        const named = this.#named.get(volume);
        const before = named?.get(position);
        if (before === undefined || id < before) named?.set(position, id);
      }
    }
    return false;
  }
}
