// Which recovery points of a group its retention policy no longer keeps: a pure function of the
// points, the policy and the time by the clock of ages (control/clock/age-clock.ts), which never
// goes back.
import type { GroupId, PointId } from '../../../contracts/ids.js';
import { inTimelineOrder, type RecoveryPoint } from '../../../contracts/point.js';
import type { Keep, RetentionPolicy } from '../../../contracts/retention.js';
import type { PointRow } from './rows.js';
import type { SiteState } from './state.js';
import { type Hold, holdIn } from './ways-back.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
/** 1970-01-01 was a Thursday; weeks begin on Monday. */
const FIRST_MONDAY_MS = 4 * DAY_MS;

type Grain = 'hour' | 'day' | 'week';

/**
 * Points of the group that may be dropped, oldest first. Never the newest one, nor one that a
 * running move or an open image needs. Points that a way back holds don't age.
 */
export function beyondPolicy(
  rows: readonly PointRow[],
  policy: RetentionPolicy,
  ageMs: number,
  inUse: ReadonlySet<PointId>,
  hold?: Hold,
): PointId[] {
  const ordered = oldestFirst(rows);
  const kept = new Buckets();
  const gone: PointId[] = [];
  for (const [i, row] of ordered.entries()) {
    const asOfMs = hold?.holds(row) === true ? Math.min(ageMs, hold.sinceMs) : ageMs;
    if (i === ordered.length - 1 || isPinned(row, inUse) || !isBeyond(row, policy, asOfMs, kept)) kept.add(row);
    else gone.push(row.point.id);
  }
  return gone;
}

export function oldestFirst(rows: readonly PointRow[]): PointRow[] {
  return rows.toSorted((a, b) => inTimelineOrder(a.point, b.point));
}

/**
 * The newest known time of the clock of ages: from points, which are stamped with it often, and
 * from its own row. Without any, the newest point's label, if it is not in the future. Undefined
 * for a site without history.
 */
export function newestAgeMs(state: SiteState, wallMs: number): number | undefined {
  let newestMs = state.storedAgeMs;
  let labelMs: number | undefined;
  for (const { point } of state.points.values()) {
    if (point.clock !== undefined) newestMs = Math.max(newestMs ?? 0, point.clock.ageMs);
    else labelMs = Math.max(labelMs ?? 0, point.atMs);
  }
  return newestMs ?? (labelMs === undefined ? undefined : Math.min(labelMs, wallMs));
}

/** When a point began to age. Points of earlier versions have only their label. */
export function agedFromMs({ atMs, clock }: Pick<RecoveryPoint, 'atMs' | 'clock'>): number {
  return clock?.ageMs ?? atMs;
}

/** Whether the point is needed now, whatever the policy says. */
export function isPinned({ point, pinnedBy }: PointRow, inUse: ReadonlySet<PointId>): boolean {
  return pinnedBy !== undefined || point.bookmark?.pending === true || inUse.has(point.id);
}

/** Whether a bookmark's own keep holds the point even if the journal is full. */
export function isPromised(keep: Keep | undefined, ageMs: number): boolean {
  return keep === 'forever' || (typeof keep === 'object' && ageMs < keep.untilMs);
}

function isBeyond({ point }: PointRow, policy: RetentionPolicy, nowMs: number, kept: Buckets): boolean {
  const fromMs = agedFromMs(point);
  const ageMs = nowMs - fromMs;
  const { keepAllMs, hourlyMs, dailyMs, weeklyMs } = policy;
  const keep = point.bookmark?.keep;
  if (keep === 'policy') return ageMs > Math.max(keepAllMs, hourlyMs, dailyMs, weeklyMs);
  if (keep !== undefined) return !isPromised(keep, nowMs);
  if (ageMs <= keepAllMs) return false;
  if (ageMs <= hourlyMs) return kept.has('hour', fromMs);
  if (ageMs <= dailyMs) return kept.has('day', fromMs);
  if (ageMs <= weeklyMs) return kept.has('week', fromMs);
  return true;
}

/**
 * The hours, days and weeks (UTC) that have a kept point. The first point of each stays as the
 * others go, so that thinning is stable.
 */
class Buckets {
  readonly #last: Record<Grain, number> = { hour: -1, day: -1, week: -1 };

  /**
   * Notes a kept point; call it oldest first. Bookmarked points don't count: other rules drop them.
   * Nor do snapshots of running moves: an abort voids them.
   */
  add({ point, pinnedBy }: PointRow): void {
    if (point.bookmark !== undefined || pinnedBy !== undefined) return;
    for (const grain of ['hour', 'day', 'week'] as const) this.#last[grain] = bucketOf(grain, agedFromMs(point));
  }

  has(grain: Grain, atMs: number): boolean {
    return this.#last[grain] === bucketOf(grain, atMs);
  }
}

function bucketOf(grain: Grain, atMs: number): number {
  switch (grain) {
    case 'hour':
      return Math.floor(atMs / HOUR_MS);
    case 'day':
      return Math.floor(atMs / DAY_MS);
    case 'week':
      return Math.floor((atMs - FIRST_MONDAY_MS) / WEEK_MS);
  }
}

/**
 * Drops points that the group's policy no longer keeps.
 * @returns how many points were dropped.
 */
export function applyPolicy(state: SiteState, group: GroupId, ageMs: number, inUse: ReadonlySet<PointId>): number {
  const hold = holdIn(state, group, ageMs);
  const gone = beyondPolicy(state.pointsOfGroup(group), state.group(group).retention, ageMs, inUse, hold);
  for (const id of gone) state.points.delete(id);
  return gone.length;
}
