// What retention may drop, and what it must: by the words of the policy, not by its code.
import type { AttemptVolume } from '../../../contracts/attempt.js';
import type { GroupId, PointId } from '../../../contracts/ids.js';
import { inTimelineOrder, type RecoveryPoint } from '../../../contracts/point.js';
import type { RetentionPolicy } from '../../../contracts/retention.js';
import type { PointRow } from '../../../simulator/replica-site/core/rows.js';
import type { SiteHost } from '../site-host.js';

const HOUR_MS = 3_600_000;

/** A group's points at some instant, and what else decides about them. */
export interface GroupLook {
  readonly group: GroupId;
  readonly rows: readonly PointRow[];
  readonly policy: RetentionPolicy;
  readonly ageMs: number;
  readonly inUse: ReadonlySet<PointId>;
  /** Open ways back to the group: which members their points have, and since when. */
  readonly waysBack: readonly { readonly sinceMs: number; readonly volumes: readonly AttemptVolume[] }[];
  /** Points dropped for lack of room, ever. */
  readonly droppedForRoom: number;
}

function ageOf({ atMs, clock }: RecoveryPoint, nowMs: number): number {
  return nowMs - (clock?.ageMs ?? atMs);
}

function longest({ keepAllMs, hourlyMs, dailyMs, weeklyMs }: RetentionPolicy): number {
  return Math.max(keepAllMs, hourlyMs, dailyMs, weeklyMs);
}

function newestOf(rows: readonly PointRow[]): PointId | undefined {
  return rows
    .map(({ point }) => point)
    .toSorted(inTimelineOrder)
    .at(-1)?.id;
}

/** Whether a point has a volume that may come back, as it was before it left. */
function isOfWayBack({ waysBack }: GroupLook, { point: { members } }: PointRow): boolean {
  return waysBack.some(({ volumes }) =>
    volumes.some((bound) => members.some(({ volume, epoch }) => volume === bound.volume && epoch <= bound.epoch)),
  );
}

/** Its age when the oldest open way back began. */
function ageAtWayBack({ waysBack, ageMs }: GroupLook, point: RecoveryPoint): number {
  return ageOf(point, Math.min(ageMs, ...waysBack.map(({ sinceMs }) => sinceMs)));
}

/** Why nobody may drop a point now, whatever the policy and the journal's room say. */
function heldBy({ rows, inUse, ageMs }: GroupLook, { point, pinnedBy }: PointRow): string | undefined {
  const keep = point.bookmark?.keep;
  if (point.id === newestOf(rows)) return 'it is the newest';
  if (pinnedBy !== undefined) return `${pinnedBy.move} needs it`;
  if (point.bookmark?.pending === true) return 'its bookmark is pending';
  if (inUse.has(point.id)) return 'an image of it is open';
  const lockedUntilMs = point.bookmark?.lock?.untilMs ?? 0;
  if (ageMs < lockedUntilMs) return `it is locked until ${lockedUntilMs}`;
  if (keep === 'forever') return 'its bookmark is kept for ever';
  if (typeof keep === 'object' && ageMs < keep.untilMs) return `its bookmark is promised until ${keep.untilMs}`;
  return undefined;
}

/**
 * Each dropped point was free to go, and past the period that keeps every point, unless the journal
 * had no room.
 * @returns how many were dropped.
 */
export function checkDropped(before: GroupLook, after: GroupLook): number {
  const left = new Set(after.rows.map(({ point }) => point.id));
  const gone = before.rows.filter(({ point }) => !left.has(point.id));
  const forRoom = after.droppedForRoom - before.droppedForRoom;
  for (const row of gone) {
    const { point } = row;
    const what = `point ${point.id} (${point.kind}) of ${before.group} was dropped at age ${ageOf(point, before.ageMs)}`;
    const why = heldBy(before, row);
    if (why !== undefined) throw new Error(`${what}, though ${why}`);
    // By the policy one may go that was too old already when its volume left.
    if (isOfWayBack(after, row) && (forRoom > 0 || ageAtWayBack(after, point) <= before.policy.keepAllMs))
      throw new Error(`${what}, though its volume may come back`);
    const keptMs = point.bookmark === undefined ? before.policy.keepAllMs : longest(before.policy);
    const isPromise = point.bookmark !== undefined && point.bookmark.keep !== 'policy';
    if (forRoom === 0 && !isPromise && ageOf(point, after.ageMs) <= keptMs)
      throw new Error(`${what}, and the policy keeps it for ${keptMs}`);
  }
  if (forRoom > 0) checkOldestFirst(before, after, gone);
  return gone.length;
}

/** Checks that the oldest went first, for room: something holds an older one that stays. */
function checkOldestFirst(before: GroupLook, after: GroupLook, gone: readonly PointRow[]): void {
  const last = gone
    .map(({ point }) => point)
    .toSorted(inTimelineOrder)
    .at(-1);
  for (const row of after.rows) {
    if (isOfWayBack(before, row)) continue;
    if (last === undefined || inTimelineOrder(row.point, last) > 0 || heldBy(before, row) !== undefined) continue;
    throw new Error(`point ${last.id} of ${before.group} was dropped for room before the older ${row.point.id}`);
  }
}

/**
 * What a whole round must have done: nothing stays that no rule keeps, and no hour lost its last
 * point.
 */
export function checkRound(before: GroupLook, after: GroupLook): void {
  const { policy } = before;
  // A commit may have let a point go behind the round's back, and a promise made meanwhile may be
  // over already: what held it at any time of the round counts.
  const was = new Map(before.rows.map((row) => [row.point.id, row]));
  const stayed = after.rows.filter((row) => {
    const former = was.get(row.point.id);
    if (former === undefined || isOfWayBack(before, former) || isOfWayBack(after, row)) return false;
    return [heldBy(before, former), heldBy(before, row), heldBy(after, row)].every((why) => why === undefined);
  });
  // A snapshot has the place of its cut and the age of its closing: hours may come back behind it.
  let last: { readonly hour: number; readonly id: PointId } | undefined;
  for (const { point } of stayed.toSorted((a, b) => inTimelineOrder(a.point, b.point))) {
    const ageMs = ageOf(point, before.ageMs);
    const { bookmark } = point;
    const isOver = bookmark === undefined || bookmark.keep === 'policy' ? ageMs > longest(policy) : true;
    if (isOver) throw new Error(`point ${point.id} of ${before.group} stays at age ${ageMs}, and nothing keeps it`);
    if (bookmark !== undefined || ageMs <= policy.keepAllMs || ageOf(point, after.ageMs) > policy.hourlyMs) continue;
    const hour = Math.floor((point.clock?.ageMs ?? point.atMs) / HOUR_MS);
    if (last?.hour === hour && !after.rows.some((row) => row.point.kind === 'left' || row.pinnedBy !== undefined))
      throw new Error(`points ${last.id} and ${point.id} of ${before.group} stay for one hour`);
    last = { hour, id: point.id };
  }
  if (after.droppedForRoom > before.droppedForRoom) return;
  const unnamed = new Set(before.rows.flatMap(({ point }) => (point.bookmark === undefined ? [point.id] : [])));
  const kept = new Set(after.rows.filter(({ point }) => unnamed.has(point.id)).map(hourOf));
  for (const row of before.rows) {
    // An abort voids its move's snapshot.
    const isSnapshot = row.pinnedBy !== undefined;
    if (isSnapshot || row.point.bookmark !== undefined || ageOf(row.point, after.ageMs) > policy.hourlyMs) continue;
    if (!kept.has(hourOf(row))) throw new Error(`no point of ${before.group} is left of the hour of ${row.point.id}`);
  }
}

function hourOf({ point }: PointRow): number {
  return Math.floor((point.clock?.ageMs ?? point.atMs) / HOUR_MS);
}

/** Every kept point can be opened: its members' positions are still there. */
export function checkOpenable(site: SiteHost): void {
  for (const { point } of site.state.points.values())
    for (const { volume, position, provisional } of point.members)
      if (provisional === undefined && !site.isOpenable(volume, position))
        throw new Error(`point ${point.id} (${point.kind}) needs position ${position} of ${volume}, which was dropped`);
}
