// Whether a point found by its time is surely the one meant. Points are in the order in which they
// were closed; a clock that jumped may have given several of them the same time, or none the right
// one.
import { doubtSentence } from '../../../contracts/clock.js';
import { isoTime } from '../../../contracts/iso-time.js';
import type { RecoveryPoint } from '../../../contracts/point.js';
import { pointsOf } from './points.js';
import type { SiteState } from './state.js';

/**
 * A sentence about doubtful points that the time could mean as well; undefined if there are none.
 */
export function doubtAbout(
  state: SiteState,
  of: Parameters<typeof pointsOf>[1],
  found: RecoveryPoint,
  atMs: number,
): string | undefined {
  const points = pointsOf(state, of);
  const at = points.findIndex(({ id }) => id === found.id);
  const isDoubted = (i: number): boolean => points[i]?.clock?.doubt !== undefined;
  // An earlier point with a later time: the clock was set back in between, and passed the asked
  // time twice.
  const twice = points.findIndex((point, i) => i < at && point.atMs > atMs);
  let first = twice >= 0 ? twice : at;
  let last = at;
  while (isDoubted(last + 1)) last += 1;
  while (isDoubted(first - 1)) first -= 1;
  const doubted = points.slice(first, last + 1).filter(({ clock }) => clock?.doubt !== undefined);
  const [begin] = doubted;
  const end = doubted.at(-1);
  const doubt = begin?.clock?.doubt ?? found.clock?.doubt;
  if (begin === undefined || end === undefined || doubt === undefined) return undefined;
  const span = begin === end ? `point ${begin.id}` : `points ${begin.id} to ${end.id}`;
  const when = begin === end ? timeOf(begin) : `${timeOf(begin)} to ${timeOf(end)}`;
  return `${doubtSentence(doubt)} The times of ${span} (${when}) may be wrong by that much. If ${found.id} is not the point that you want, choose one by its id: volume-mover points <group|volume> --list`;
}

function timeOf({ atMs }: RecoveryPoint): string {
  return isoTime(atMs);
}
