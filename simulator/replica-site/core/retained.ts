// Which positions of each volume any point of any group still names. All points must be read, so it
// works in steps.
import type { PointId, VolumeId } from '../../../contracts/ids.js';
import type { PointRow } from './rows.js';
import type { SiteState } from './state.js';

/** Points looked at in one step: with the most members a group may have, about a millisecond. */
const POINTS_PER_STEP = 16;

/** Named positions of one volume, each with the point it is kept for: the oldest that names it. */
export type NamedPositions = ReadonlyMap<number, PointId>;

export class RetentionWalk {
  readonly #points: Iterator<PointRow>;
  readonly #named: Map<VolumeId, Map<number, PointId>>;

  /** @param volumes the volumes asked about. The walk also sees points that are added meanwhile. */
  constructor(state: SiteState, volumes: Iterable<VolumeId>) {
    this.#points = state.points.values();
    this.#named = new Map([...volumes].map((volume) => [volume, new Map<number, PointId>()]));
  }

  /** Final once `step` has returned true. */
  get named(): ReadonlyMap<VolumeId, NamedPositions> {
    return this.#named;
  }

  /**
   * Reads the next few points.
   * @returns whether every point has been read.
   */
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
