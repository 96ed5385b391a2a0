// Recovery points: closes them from a cut (never with a torn member), finds them, and drops old
// ones.
import type { AttemptRef, Cut, MemberCut, Verdict } from '../../../contracts/attempt.js';
import { attemptName } from '../../../contracts/attempt.js';
import { type ClockDoubt, CLOCK_SKEW_MS_MAX } from '../../../contracts/clock.js';
import { MoverError } from '../../../contracts/errors.js';
import type { GroupId, PointId, VolumeId } from '../../../contracts/ids.js';
import { isoTime } from '../../../contracts/iso-time.js';
import {
  inLineageOrder,
  inTimelineOrder,
  type LeftOut,
  type PointKind,
  type PointMember,
  type RecoveryPoint,
} from '../../../contracts/point.js';
import type { Keep, KeepRequest } from '../../../contracts/retention.js';
import { refuseLocked } from './bookmark-locks.js';
import { type GroupRow, pointIdOf, type PointRow, type VolumeRow } from './rows.js';
import type { SiteState } from './state.js';
import type { SiteMoment } from './terms.js';
import { holdIn } from './ways-back.js';

/**
 * Most points without a bookmark that a group keeps, whatever its policy says: each names every
 * member, and all are in memory. What ways back hold comes on top, for as long as they are open.
 */
export const UNNAMED_POINTS_PER_GROUP_MAX = 45_000;

export interface NewPoint {
  readonly group: GroupId;
  readonly kind: PointKind;
  readonly atMs: number;
  /** Why that time may be wrong. */
  readonly doubt?: ClockDoubt | undefined;
  readonly cuts: readonly MemberCut[];
  readonly leftOut: readonly LeftOut[];
  readonly bookmark?: string | undefined;
  /** How long the bookmark is kept, from the point's own time on. */
  readonly keep?: KeepRequest | undefined;
  readonly pinnedBy?: AttemptRef;
  /**
   * The place in the timeline after which the point comes; default: the end. A snapshot is closed
   * long after its cut was taken, and points closed meanwhile may come after it.
   */
  readonly after?: { readonly atMs: number; readonly order: number } | undefined;
}

/**
 * A label further from the site's own clock than this is doubtful: waiting for the cuts (30 s) and
 * a slow answer don't explain it.
 */
const LABEL_AWAY_MS_MAX = 60_000;

/** A point's members, and when it was cut. */
interface Held {
  readonly atMs: number;
  readonly members: readonly PointMember[];
}

type Judged = { readonly member: PointMember; readonly mark?: Cut } | { readonly leftOut: LeftOut };

/**
 * Closes a point from its cuts. A retired volume is in no point, though its appliance may still
 * take it for a member.
 * @param now absent where no clock matters
 * @throws MoverError GROUP_NOT_FOUND
 */
export function addPoint(state: SiteState, input: NewPoint, now?: SiteMoment): RecoveryPoint {
  const group = state.group(input.group);
  const members: PointMember[] = [];
  const provisionalMarks: Record<string, Cut> = {};
  const isRetired = ({ volume }: { readonly volume: VolumeId }): boolean =>
    state.volumes.get(volume)?.retired !== undefined;
  const leftOut = input.leftOut.filter((each) => !isRetired(each));
  for (const cut of input.cuts) {
    if (isRetired(cut)) continue;
    const judged = judge(state, input.group, cut);
    if ('leftOut' in judged) leftOut.push(judged.leftOut);
    else {
      members.push(judged.member);
      if (judged.mark !== undefined) provisionalMarks[cut.volume] = judged.mark;
    }
  }
  const spokenFor = new Set<VolumeId>([...members, ...leftOut].map((entry) => entry.volume));
  for (const row of state.membersOf(input.group))
    if (!spokenFor.has(row.volume)) leftOut.push({ volume: row.volume, reason: 'not-in-cut' });
  const number = state.take('points');
  const { order, beforeMs, following } = placeOf(state, group, input, members, number);
  const { atMs, doubt } = labelOf(input, beforeMs, now);
  const stamp =
    now === undefined
      ? {}
      : {
          clock: {
            life: state.life.number,
            monotonicMs: now.monotonicMs,
            wallMs: now.wallMs,
            ageMs: now.ageMs,
            ...(doubt === undefined ? {} : { doubt }),
          },
        };
  const base: RecoveryPoint = {
    id: pointIdOf(number),
    group: input.group,
    kind: input.kind,
    atMs,
    order,
    ...stamp,
    members: state.sharedMembers({ group: input.group, members }),
    leftOut,
  };
  const point: RecoveryPoint =
    input.bookmark === undefined
      ? base
      : { ...base, bookmark: { name: input.bookmark, pending: false, keep: keepFrom(input.keep, now?.ageMs ?? atMs) } };
  state.points.put(
    point.id,
    input.pinnedBy === undefined ? { point, provisionalMarks } : { point, provisionalMarks, pinnedBy: input.pinnedBy },
  );
  state.groups.put(
    group.group,
    input.after === undefined
      ? { ...group, lastPointAtMs: atMs, lastOrder: number, snapshots: following }
      : { ...group, snapshots: [...(group.snapshots ?? []), ...(order === (group.lastOrder ?? 0) ? [number] : [])] },
  );
  dropOldest(state, input.group, now?.ageMs ?? 0);
  return point;
}

/**
 * A new point's place in its group's timeline, the time of the point before it, and the snapshots
 * that follow it.
 */
function placeOf(
  state: SiteState,
  group: GroupRow,
  { after, atMs }: NewPoint,
  members: readonly PointMember[],
  number: number,
): { readonly order: number; readonly beforeMs: number; readonly following: number[] } {
  if (after === undefined) {
    const { beforeMs = group.lastPointAtMs, following } = letSnapshotsFollow(state, group, { atMs, members }, number);
    return { order: number, beforeMs, following };
  }
  const snapshot = { group: group.group, after: after.order, atMs, members };
  return { order: orderAfter(state, snapshot, number), beforeMs: after.atMs, following: [] };
}

/**
 * The time on a point's label, and why it may be wrong. Times of one group grow from point to
 * point, though they come from clocks of several hosts that differ a little. A time that goes back
 * by more stays as it is: no point waits for a clock.
 */
function labelOf(
  { group, atMs: cutAtMs, after, doubt }: NewPoint,
  beforeMs: number,
  now: SiteMoment | undefined,
): { readonly atMs: number; readonly doubt?: ClockDoubt | undefined } {
  const backMs = beforeMs - cutAtMs;
  const atMs = backMs >= 0 && backMs <= CLOCK_SKEW_MS_MAX ? beforeMs + 1 : cutAtMs;
  const process = `the splitters of group ${group}`;
  const known = doubt ?? now?.doubt;
  if (known !== undefined) return { atMs, doubt: known };
  if (backMs > CLOCK_SKEW_MS_MAX) return { atMs, doubt: { process, jumpMs: -backMs, sinceMs: beforeMs, jumps: 1 } };
  const awayMs = now === undefined || after !== undefined ? 0 : atMs - now.wallMs;
  if (now === undefined || Math.abs(awayMs) <= LABEL_AWAY_MS_MAX) return { atMs };
  return { atMs, doubt: { process, jumpMs: awayMs, sinceMs: now.wallMs, jumps: 1 } };
}

/**
 * A snapshot's place: after the points of its group closed since `after`, as far as they are older
 * than its cut. Their members' positions decide, not their times, because clocks may have been set
 * since. It looks at these points by id, as a group has tens of thousands.
 * @param next the number of the snapshot itself
 */
function orderAfter(
  state: SiteState,
  snapshot: Held & { readonly group: GroupId; readonly after: number },
  next: number,
): number {
  for (let number = next - 1; number > snapshot.after; number -= 1) {
    const point = state.points.get(pointIdOf(number))?.point;
    if (point?.group === snapshot.group && point.order === number && isOlder(point, snapshot)) return number;
  }
  return snapshot.after;
}

/**
 * Moves snapshots behind a point that waited for its writes while they were sealed, if their cuts
 * are later.
 * @returns the time of the last snapshot before the point; undefined if there is none.
 */
function letSnapshotsFollow(
  state: SiteState,
  { snapshots = [] }: GroupRow,
  point: Held,
  number: number,
): { readonly beforeMs?: number; readonly following: number[] } {
  const following: number[] = [];
  let beforeMs: number | undefined;
  for (const snapshot of snapshots) {
    const row = state.points.get(pointIdOf(snapshot));
    if (row === undefined) continue;
    if (isOlder(point, row.point)) {
      state.points.put(row.point.id, { ...row, point: { ...row.point, order: number } });
      following.push(snapshot);
    } else beforeMs = Math.max(beforeMs ?? 0, row.point.atMs);
  }
  return beforeMs === undefined ? { following } : { beforeMs, following };
}

/**
 * Whether the point is older than the snapshot, by positions; by times if all are equal. A
 * provisional member doesn't count: it was cut behind the fence.
 */
function isOlder(point: Held, snapshot: Held): boolean {
  let older = false;
  for (const { volume, position, provisional } of point.members) {
    const cut = snapshot.members.find((member) => member.volume === volume);
    if (cut === undefined || provisional !== undefined) continue;
    if (position > cut.position) return false;
    older ||= position < cut.position;
  }
  return older || point.atMs <= snapshot.atMs;
}

/**
 * The stored form of how long a bookmark is kept.
 * @param fromMs by the clock of ages
 */
export function keepFrom(asked: KeepRequest | undefined, fromMs: number): Keep {
  if (asked === undefined) return 'policy';
  return typeof asked === 'string' ? asked : { untilMs: fromMs + asked.forMs };
}

/**
 * Sets the name or the keep of a point's bookmark.
 * @throws MoverError POINT_NOT_FOUND; INVALID_REQUEST (no name and no bookmark, or another name for
 * a bookmark that a move made); BOOKMARK_LOCKED
 */
export function markPoint(
  state: SiteState,
  input: { readonly point: PointId; readonly name?: string | undefined; readonly keep: KeepRequest },
  ageMs: number,
): RecoveryPoint {
  const row = state.point(input.point);
  const { bookmark } = row.point;
  const name = input.name ?? bookmark?.name;
  if (name === undefined)
    throw new MoverError('INVALID_REQUEST', `Point ${input.point} has no bookmark yet: give it a name.`);
  if (bookmark?.attempt !== undefined && name !== bookmark.name)
    throw new MoverError('INVALID_REQUEST', `The bookmark "${bookmark.name}" was made by a move and keeps its name.`);
  if (bookmark !== undefined) refuseLocked(row.point.id, bookmark, { name, keep: keepFrom(input.keep, ageMs) }, ageMs);
  const kept = { ...bookmark, name, pending: bookmark?.pending ?? false, keep: keepFrom(input.keep, ageMs) };
  const point: RecoveryPoint = { ...row.point, bookmark: kept };
  state.points.put(point.id, { ...row, point });
  return point;
}

function judge(state: SiteState, group: GroupId, cut: NewPoint['cuts'][number]): Judged {
  const leave = (reason: LeftOut['reason']): Judged => ({ leftOut: { volume: cut.volume, reason } });
  const row = state.volumes.get(cut.volume);
  if (row === undefined || row.group !== group) return leave('moved');
  const position = state.positionOf(row, cut);
  if (position === undefined) return leave('behind');
  // The point waited for its writes, and the volume left meanwhile and came back: the group did not
  // own it all the time.
  const { fromPosition = 0 } = state.ownersOf(cut.volume).at(-1) ?? {};
  if (position < fromPosition) return leave('moved');
  if (state.inHole(cut.volume, position)) return leave('inconsistent');
  const member: PointMember = { volume: cut.volume, position, epoch: row.epoch };
  if (reached(state, row, cut)) return { member };
  const open =
    cut.fencedBy !== undefined &&
    row.openAttempt !== undefined &&
    attemptName(row.openAttempt) === attemptName(cut.fencedBy);
  if (!open || cut.session !== row.session) return leave('behind');
  return {
    member: { ...member, provisional: row.openAttempt },
    mark: { volume: cut.volume, session: cut.session, n: cut.n },
  };
}

/**
 * Whether a mark is durable here. A mark of an earlier session must have arrived before the next
 * session attached.
 */
function reached(state: SiteState, row: VolumeRow, mark: { readonly session: number; readonly n: number }): boolean {
  const durable = state.lineages.durable(row.volume);
  const position = state.positionOf(row, mark);
  return position !== undefined && position <= durable.position && (mark.session === durable.session || mark.n === 0);
}

/**
 * Whether every cut of a point is durable here or held behind a fence: then the point need not
 * wait.
 */
export function cutsReached(state: SiteState, cuts: NewPoint['cuts']): boolean {
  return cuts.every((cut) => {
    const row = state.volumes.get(cut.volume);
    return row === undefined || cut.fencedBy !== undefined || reached(state, row, cut);
  });
}

/**
 * Settles provisional members by a verdict: on commit the moved volume is struck from the old
 * group's points since the fence, on abort it stays.
 */
export function settleProvisional(state: SiteState, attempt: AttemptRef, verdict: Verdict): void {
  const name = attemptName(attempt);
  for (const row of state.pointsAwaiting(attempt)) {
    const struck = row.point.members.filter(
      (member) => member.provisional !== undefined && attemptName(member.provisional) === name,
    );
    state.points.put(row.point.id, verdict === 'COMMITTED' ? strike(row, struck) : keep(row, name));
  }
}

function strike(row: PointRow, struck: readonly PointMember[]): PointRow {
  const gone = new Set(struck.map((member) => member.volume));
  return {
    ...row,
    provisionalMarks: Object.fromEntries(
      Object.entries(row.provisionalMarks).filter(([volume]) => !struck.some((member) => member.volume === volume)),
    ),
    point: {
      ...row.point,
      members: row.point.members.filter((member) => !gone.has(member.volume)),
      leftOut: [...row.point.leftOut, ...struck.map((member): LeftOut => ({ volume: member.volume, reason: 'moved' }))],
    },
  };
}

function keep(row: PointRow, name: string): PointRow {
  const members = row.point.members.map((member): PointMember => {
    if (member.provisional === undefined || attemptName(member.provisional) !== name) return member;
    const { provisional: _settled, ...kept } = member;
    return kept;
  });
  return { ...row, point: { ...row.point, members } };
}

/**
 * The position in the lineage at which a volume is opened for a point.
 * @throws MoverError POINT_NOT_FOUND (the volume is not in it), POINT_UNAVAILABLE (its writes are
 * still behind a fence)
 */
export function positionIn(state: SiteState, row: PointRow, volume: VolumeId): number {
  const { point } = row;
  const member = point.members.find((candidate) => candidate.volume === volume);
  if (member === undefined) {
    const why = point.leftOut.find((entry) => entry.volume === volume)?.reason;
    throw new MoverError(
      'POINT_NOT_FOUND',
      `Point ${point.id} does not contain volume "${volume}"${why === undefined ? '' : ` (${why})`}.`,
    );
  }
  if (member.provisional !== undefined || member.position > state.lineages.durable(volume).position) {
    throw new MoverError(
      'POINT_UNAVAILABLE',
      `The writes of volume "${volume}" up to point ${point.id} have not all arrived at the replica site.`,
    );
  }
  return member.position;
}

/**
 * The newest applied position, at which a volume is opened without a point.
 * @throws MoverError VOLUME_NOT_FOUND, POINT_UNAVAILABLE (a short initialization is under way: the
 * guest never had the disk in this state)
 */
export function newestPosition(state: SiteState, volume: VolumeId): number {
  state.volume(volume);
  const position = state.lineages.appliedPosition(volume);
  if (state.inHole(volume, position))
    throw new MoverError(
      'POINT_UNAVAILABLE',
      `Volume "${volume}" is in short initialization: open a recovery point from before it.`,
    );
  return position;
}

interface PointFilter {
  readonly group?: GroupId | undefined;
  readonly volume?: VolumeId | undefined;
}

/**
 * Points of a group in timeline order; or the points of any group that contain the volume, in the
 * order of its lineage.
 */
export function pointsOf(state: SiteState, of: PointFilter): RecoveryPoint[] {
  const points: RecoveryPoint[] = [];
  for (const { point } of candidates(state, of)) if (matches(point, of)) points.push(point);
  return points.sort(orderOf(of));
}

function matches(point: RecoveryPoint, { volume }: PointFilter): boolean {
  return volume === undefined || contains(point, volume);
}

function orderOf({ volume }: PointFilter): (a: RecoveryPoint, b: RecoveryPoint) => number {
  return volume === undefined ? inTimelineOrder : inLineageOrder(volume);
}

/** Points that may match: a volume is only in points of groups that have owned it. */
function candidates(state: SiteState, { group, volume }: PointFilter): Iterable<PointRow> {
  if (group !== undefined) return state.pointsOfGroup(group);
  if (volume === undefined) return state.points.values();
  const groups = new Set(state.ownersOf(volume).map((owner) => owner.group));
  return [...groups].flatMap((owner) => state.pointsOfGroup(owner));
}

/**
 * The point with the id; or the last one, in the order of `pointsOf`, whose label (`atMs`) is not
 * later than the given time.
 * @throws MoverError POINT_NOT_FOUND
 */
export function findPoint(
  state: SiteState,
  query: PointFilter & { readonly atMs?: number | undefined; readonly point?: PointId | undefined },
): RecoveryPoint {
  if (query.point !== undefined) {
    const { point } = state.point(query.point);
    const fits =
      (query.group === undefined || point.group === query.group) &&
      (query.volume === undefined || contains(point, query.volume));
    if (fits) return point;
    throw new MoverError('POINT_NOT_FOUND', `Point ${point.id} is not one of ${describe(query)}.`);
  }
  const { atMs = Number.POSITIVE_INFINITY } = query;
  // One pass: to sort all points of a group for one of them takes many times as long.
  const compare = orderOf(query);
  let found: RecoveryPoint | undefined;
  for (const { point } of candidates(state, query))
    if (point.atMs <= atMs && matches(point, query) && (found === undefined || compare(point, found) > 0))
      found = point;
  if (found !== undefined) return found;
  const when = query.atMs === undefined ? 'yet' : `at or before ${isoTime(query.atMs)}`;
  throw new MoverError('POINT_NOT_FOUND', `There is no recovery point of ${describe(query)} ${when}.`);
}

function describe({ group, volume }: PointFilter): string {
  const parts = [
    group === undefined ? [] : [`group "${group}"`],
    volume === undefined ? [] : [`volume "${volume}"`],
  ].flat();
  return parts.length === 0 ? 'any group' : parts.join(' and ');
}

function contains(point: RecoveryPoint, volume: VolumeId): boolean {
  return point.members.some((member) => member.volume === volume);
}

function dropOldest(state: SiteState, group: GroupId, ageMs: number): void {
  if (state.pointCount(group) <= UNNAMED_POINTS_PER_GROUP_MAX) return;
  const hold = holdIn(state, group, ageMs);
  const unnamed = state
    .pointsOfGroup(group)
    .filter((row) => row.point.bookmark === undefined && row.pinnedBy === undefined)
    .filter((row) => hold?.holds(row) !== true);
  const excess = unnamed.length - UNNAMED_POINTS_PER_GROUP_MAX;
  if (excess <= 0) return;
  for (const { point } of unnamed.toSorted((a, b) => inTimelineOrder(a.point, b.point)).slice(0, excess))
    state.points.delete(point.id);
}
