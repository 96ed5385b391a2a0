// Recovery points: closing them from a cut without ever containing a torn member, finding them, and dropping old ones.
import type { AttemptRef, Cut, Verdict } from '../../../contracts/attempt.js';
import { attemptName } from '../../../contracts/attempt.js';
import { MoverError } from '../../../contracts/errors.js';
import type { GroupId, PointId, VolumeId } from '../../../contracts/ids.js';
import type { LeftOut, PointKind, PointMember, RecoveryPoint } from '../../../contracts/point.js';
import type { Keep, KeepRequest } from '../../../contracts/retention.js';
import { pointIdOf, type PointRow, type VolumeRow } from './rows.js';
import type { SiteState } from './state.js';

/** Points without a bookmark that a group keeps, whatever its policy says: each names every member, and all are in memory. */
export const UNNAMED_POINTS_PER_GROUP_MAX = 45_000;

export interface NewPoint {
  readonly group: GroupId;
  readonly kind: PointKind;
  readonly atMs: number;
  readonly cuts: readonly (Cut & { readonly fencedBy?: AttemptRef | undefined })[];
  readonly leftOut: readonly LeftOut[];
  readonly bookmark?: string | undefined;
  /** How long the bookmark is kept; counted from the point's own time. */
  readonly keep?: KeepRequest | undefined;
  readonly pinnedBy?: AttemptRef;
  /**
   * The point is later than this by the group's clock; default: than every other point. A snapshot is closed long after its cut was
   * taken, and points that were closed meanwhile are later than it.
   */
  readonly afterMs?: number | undefined;
}

type Judged = { readonly member: PointMember; readonly mark?: Cut } | { readonly leftOut: LeftOut };

/** @throws MoverError GROUP_NOT_FOUND */
export function addPoint(state: SiteState, input: NewPoint): RecoveryPoint {
  const group = state.group(input.group);
  const members: PointMember[] = [];
  const provisionalMarks: Record<string, Cut> = {};
  const leftOut = [...input.leftOut];
  for (const cut of input.cuts) {
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
  const atMs = Math.max(input.atMs, (input.afterMs ?? group.lastPointAtMs) + 1);
  const base: RecoveryPoint = {
    id: pointIdOf(state.take('points')),
    group: input.group,
    kind: input.kind,
    atMs,
    members,
    leftOut,
  };
  const point: RecoveryPoint =
    input.bookmark === undefined
      ? base
      : { ...base, bookmark: { name: input.bookmark, pending: false, keep: keepFrom(input.keep, atMs) } };
  state.points.put(
    point.id,
    input.pinnedBy === undefined ? { point, provisionalMarks } : { point, provisionalMarks, pinnedBy: input.pinnedBy },
  );
  state.groups.put(group.group, { ...group, lastPointAtMs: Math.max(atMs, group.lastPointAtMs) });
  dropOldest(state, input.group);
  return point;
}

/** What is stored of how long a bookmark is to be kept, counted from a time. */
export function keepFrom(asked: KeepRequest | undefined, fromMs: number): Keep {
  if (asked === undefined) return 'policy';
  return typeof asked === 'string' ? asked : { untilMs: fromMs + asked.forMs };
}

/**
 * Names a point, or says anew how long its bookmark is kept.
 * @throws MoverError POINT_NOT_FOUND; INVALID_REQUEST (no name and no bookmark, or another name for one that a move made)
 */
export function markPoint(
  state: SiteState,
  input: { readonly point: PointId; readonly name?: string | undefined; readonly keep: KeepRequest },
  nowMs: number,
): RecoveryPoint {
  const row = state.point(input.point);
  const { bookmark } = row.point;
  const name = input.name ?? bookmark?.name;
  if (name === undefined)
    throw new MoverError('INVALID_REQUEST', `Point ${input.point} has no bookmark yet: give it a name.`);
  if (bookmark?.attempt !== undefined && name !== bookmark.name)
    throw new MoverError('INVALID_REQUEST', `The bookmark "${bookmark.name}" was made by a move and keeps its name.`);
  const kept = { ...bookmark, name, pending: bookmark?.pending ?? false, keep: keepFrom(input.keep, nowMs) };
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

/** Whether a mark is durable here. A mark of an earlier session must have arrived before the next session attached. */
function reached(state: SiteState, row: VolumeRow, mark: { readonly session: number; readonly n: number }): boolean {
  const durable = state.lineages.durable(row.volume);
  const position = state.positionOf(row, mark);
  return position !== undefined && position <= durable.position && (mark.session === durable.session || mark.n === 0);
}

/** Whether every cut of a point to be closed is durable here (or held behind a fence): nothing more to wait for. */
export function cutsReached(state: SiteState, cuts: NewPoint['cuts']): boolean {
  return cuts.every((cut) => {
    const row = state.volumes.get(cut.volume);
    return row === undefined || cut.fencedBy !== undefined || reached(state, row, cut);
  });
}

/** On commit the moved volume is struck from the old group's points since the fence; on abort it stays. */
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
 * The lineage position at which a volume is opened for a point.
 * @throws MoverError POINT_NOT_FOUND (the volume is not in it), POINT_UNAVAILABLE (its writes are still behind a fence)
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
 * The position at which a volume is opened without a point: the newest that is applied.
 * @throws MoverError VOLUME_NOT_FOUND, POINT_UNAVAILABLE (a short initialization is under way: no state of the disk the guest ever had)
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

/** Points of a group, or of any group that contain the volume; oldest first. */
export function pointsOf(state: SiteState, of: PointFilter): RecoveryPoint[] {
  const points: RecoveryPoint[] = [];
  for (const { point } of candidates(state, of))
    if (of.volume === undefined || contains(point, of.volume)) points.push(point);
  return points.toSorted(byTime);
}

/** A volume is in points of groups that have owned it only: with many groups, a few of all points. */
function candidates(state: SiteState, { group, volume }: PointFilter): Iterable<PointRow> {
  if (group !== undefined) return state.pointsOfGroup(group);
  if (volume === undefined) return state.points.values();
  const groups = new Set(state.ownersOf(volume).map((owner) => owner.group));
  return [...groups].flatMap((owner) => state.pointsOfGroup(owner));
}

/**
 * The point of that id, or the newest one not later than the time, by the points' own clock.
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
  const found = pointsOf(state, query).findLast((point) => point.atMs <= atMs);
  if (found !== undefined) return found;
  const when = query.atMs === undefined ? 'yet' : `at or before ${new Date(query.atMs).toISOString()}`;
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

function byTime(a: RecoveryPoint, b: RecoveryPoint): number {
  return a.atMs - b.atMs || (a.id < b.id ? -1 : 1);
}

function dropOldest(state: SiteState, group: GroupId): void {
  if (state.pointCount(group) <= UNNAMED_POINTS_PER_GROUP_MAX) return;
  const unnamed = state
    .pointsOfGroup(group)
    .filter((row) => row.point.bookmark === undefined && row.pinnedBy === undefined);
  const excess = unnamed.length - UNNAMED_POINTS_PER_GROUP_MAX;
  if (excess <= 0) return;
  for (const { point } of unnamed.toSorted((a, b) => a.point.atMs - b.point.atMs).slice(0, excess))
    state.points.delete(point.id);
}
