// How old the newest state may be to which a group can be recovered: its RPO.
import type { GroupRow } from './rows.js';

/** A group without a setting may miss so many points in a row. */
const MISSED_POINTS_MAX = 5;
/** Shorter outages are nothing that a person can mend, milliseconds. */
const RPO_MS_MIN = 60_000;

/** Milliseconds. The group's setting, or what its interval of points allows. */
export function rpoMsMaxOf({ pointEveryMs, rpoMsMax }: Pick<GroupRow, 'pointEveryMs' | 'rpoMsMax'>): number {
  return rpoMsMax ?? Math.max(RPO_MS_MIN, MISSED_POINTS_MAX * pointEveryMs);
}
