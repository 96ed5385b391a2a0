// Accounts for the UNDO that each group's recovery points cost. A group over its limit drops its
// own oldest points, with an alert.
import type { GroupId, PointId } from '../../../contracts/ids.js';
import { isoTime } from '../../../contracts/iso-time.js';
import type { GroupJournal } from '../../../contracts/retention.js';
import { isPinned, isPromised, oldestFirst } from './policy.js';
import type { GroupRow, PointRow } from './rows.js';
import type { SiteState } from './state.js';
import { holdIn } from './ways-back.js';

/**
 * An alert ends once the journal is this far below its limit: otherwise it would come and go with
 * every point.
 */
const CALM_SHARE = 0.8;
/**
 * An alert stays this long after the journal was last full, so that people see it even if the next
 * round finds room again.
 */
const ALERT_KEPT_MS = 3_600_000;
const MIB = 1024 * 1024;

/** UNDO kept for each point, in bytes. Points that cost nothing may be absent. */
export type PointCosts = ReadonlyMap<PointId, number>;

/**
 * Accounts for what a group's points cost, and drops none: while UNDO waits for consolidation,
 * nobody can say whether it is too much.
 */
export function accountFor(state: SiteState, group: GroupId, costs: PointCosts): void {
  const row = state.group(group);
  putJournal(state, row, { ...row.journal, bytes: bytesOf(state.pointsOfGroup(group), costs) });
}

/**
 * Accounts for what a group's points cost and, over the group's limit, drops its oldest ones. It
 * never drops the newest point, one in use, one that a way back holds, or one whose bookmark's
 * promise still holds.
 * @param ageMs by the clock of ages: it survives restarts, as an alert does
 * @returns how many points were dropped. Others may cost more now: UNDO between two neighbours is
 * charged to the earlier one.
 */
export function makeSpace(
  state: SiteState,
  group: GroupId,
  costs: PointCosts,
  ageMs: number,
  inUse: ReadonlySet<PointId>,
): number {
  const row = state.group(group);
  const { journalBytesMax } = row.retention;
  const rows = oldestFirst(state.pointsOfGroup(group));
  let bytes = bytesOf(rows, costs);
  const hold = holdIn(state, group, ageMs);
  let dropped = 0;
  for (const candidate of rows.slice(0, -1)) {
    if (bytes <= journalBytesMax) break;
    const { id, bookmark } = candidate.point;
    if (isPinned(candidate, inUse) || isPromised(bookmark?.keep, ageMs)) continue;
    if (hold?.holds(candidate) === true) continue;
    state.points.delete(id);
    bytes -= costs.get(id) ?? 0;
    dropped += 1;
  }
  putJournal(state, row, {
    bytes,
    pointsDropped: row.journal.pointsDropped + dropped,
    ...alertOf({ state, row, bytes, dropped, nowMs: ageMs }),
  });
  return dropped;
}

function bytesOf(rows: readonly PointRow[], costs: PointCosts): number {
  return rows.reduce((sum, { point }) => sum + (costs.get(point.id) ?? 0), 0);
}

interface Finding {
  readonly state: SiteState;
  readonly row: GroupRow;
  readonly bytes: number;
  readonly dropped: number;
  readonly nowMs: number;
}

function alertOf({ state, row, bytes, dropped, nowMs }: Finding): Pick<GroupJournal, 'alert'> {
  const { group, journal, retention } = row;
  const sinceMs = journal.alert?.sinceMs ?? nowMs;
  const limit = `its limit of ${inMib(retention.journalBytesMax)}`;
  if (bytes > retention.journalBytesMax && dropped === 0) {
    return {
      alert: {
        sinceMs,
        lastMs: nowMs,
        message: `The journal of group "${group}" needs ${inMib(bytes)}, over ${limit}, for points that can't be dropped: promised bookmarks, the newest point, points that a reversible move holds, and points in use. Keep bookmarks for a shorter time, or raise retention.journalBytesMax.`,
      },
    };
  }
  if (dropped > 0) {
    const oldest = oldestOf(state.pointsOfGroup(group));
    return {
      alert: {
        sinceMs,
        lastMs: nowMs,
        message: `The journal of group "${group}" reached ${limit}: ${dropped} of its oldest recovery points were dropped, and its history now begins at ${oldest}. Raise retention.journalBytesMax or shorten the policy.`,
      },
    };
  }
  if (journal.alert === undefined) return {};
  const isCalm = bytes <= retention.journalBytesMax * CALM_SHARE && nowMs - journal.alert.lastMs > ALERT_KEPT_MS;
  return isCalm ? {} : { alert: journal.alert };
}

function putJournal(state: SiteState, row: GroupRow, journal: GroupJournal): void {
  const { bytes, pointsDropped, alert } = row.journal;
  const same =
    bytes === journal.bytes &&
    pointsDropped === journal.pointsDropped &&
    alert?.message === journal.alert?.message &&
    alert?.lastMs === journal.alert?.lastMs;
  if (!same) state.groups.put(row.group, { ...row, journal });
}

function oldestOf(rows: readonly PointRow[]): string {
  const [oldest] = oldestFirst(rows);
  return oldest === undefined ? 'its next point' : isoTime(oldest.point.atMs);
}

function inMib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
