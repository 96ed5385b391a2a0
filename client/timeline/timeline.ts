// The data of a timeline before it is drawn: owners over time, points, and what can't be recovered.
import { invalidField, type MoverError } from '../../contracts/errors.js';
import {
  inLineageOrder,
  inTimelineOrder,
  type Bookmark,
  type DamagedMember,
  type Hole,
  type LeftOut,
  type Ownership,
  type RecoveryPoint,
} from '../../contracts/point.js';
import type { ListedPoints, PointOwner } from '../points/list.js';
import { overlaps, type Span, type TimeRange } from './range.js';

/** Shortest range that is drawn, ms. An axis needs a width even if everything happened at once. */
export const RANGE_MS_MIN = 1_000;
/**
 * Largest share of the range, at its beginning, that shows the first owner's time before its first
 * point.
 */
const LEAD_SHARE_MAX = 0.1;

export interface TimelineInput {
  /**
   * A volume's lanes are the groups that owned it. A group's lanes are the volumes that were ever
   * in it.
   */
  readonly owner: PointOwner;
  /** The listing. For a group it includes its volumes' holes, as `listHistory` returns them. */
  readonly listed: ListedPoints;
  readonly nowMs: number;
  /** Start of the picture. Default: the oldest point. */
  readonly sinceMs?: number | undefined;
  /**
   * End of the picture. Default: now, or the latest point if clocks disagree; times in doubt are
   * ignored.
   */
  readonly untilMs?: number | undefined;
}

/** Points and spans that touch the range. Spans are not cut to it. */
export interface Timeline {
  readonly owner: PointOwner;
  readonly range: TimeRange;
  /** The lanes in the order of first ownership. A lane with nothing in the range is left out. */
  readonly lanes: readonly Lane[];
  /** The points in the order in which they closed, whatever their times say. */
  readonly points: readonly RecoveryPoint[];
  /** The bookmarked points, in the same order. */
  readonly bookmarks: readonly MarkedPoint[];
  readonly holes: readonly Hole[];
  /**
   * Spans that a reversible move began and that last. Of a group: those with an open way back only.
   */
  readonly reversible: readonly Ownership[];
  /** Members of the points that can't be opened, or only in part. */
  readonly damaged: readonly DamagedMember[];
  /** How many points are before the range. */
  readonly pointsBefore: number;
  readonly pointsAfter: number;
}

export interface Lane {
  /** The group's id or the volume's. */
  readonly name: string;
  readonly spans: readonly Ownership[];
  /** Points that contain the lane's volume, oldest first. */
  readonly points: readonly RecoveryPoint[];
  /** Points of the group that do not contain the volume. */
  readonly leftOut: readonly LeftOutPoint[];
  readonly holes: readonly LaneHole[];
}

export interface LeftOutPoint {
  readonly point: RecoveryPoint;
  readonly reason: LeftOut['reason'];
}

/** The part of a hole inside a span of the lane. */
export interface LaneHole extends Span {
  readonly hole: Hole;
}

export interface MarkedPoint {
  /** Its letter in the picture: A to Z, then AA, AB … */
  readonly mark: string;
  readonly point: RecoveryPoint;
  readonly bookmark: Bookmark;
}

/** Makes a timeline. @throws MoverError INVALID_REQUEST when the range ends before it begins */
export function createTimeline(input: TimelineInput): Timeline {
  const { owner, listed } = input;
  const all = listed.points.toSorted('volume' in owner ? inLineageOrder(owner.volume) : inTimelineOrder);
  const range = rangeOf(input, all);
  const points = all.filter(({ atMs }) => atMs >= range.fromMs && atMs <= range.toMs);
  const holes = listed.holes.filter((hole) => overlaps(range, spanOfHole(hole)));
  return {
    owner,
    range,
    lanes: lanesOf(owner, listed, points, holes).filter((lane) => isInRange(lane, range)),
    points,
    bookmarks: bookmarksOf(points),
    holes,
    reversible: listed.owners.filter((span) => isReversible(span, owner)),
    damaged: damagedAmong(listed, points),
    pointsBefore: all.filter(({ atMs }) => atMs < range.fromMs).length,
    pointsAfter: all.filter(({ atMs }) => atMs > range.toMs).length,
  };
}

function isReversible({ wayBack, toPosition }: Ownership, owner: PointOwner): boolean {
  if (wayBack === undefined || toPosition !== undefined) return false;
  return 'volume' in owner || wayBack.ended === undefined;
}

function damagedAmong({ damaged = [] }: ListedPoints, points: readonly RecoveryPoint[]): readonly DamagedMember[] {
  if (damaged.length === 0) return damaged;
  const shown = new Set(points.map(({ id }) => id));
  return damaged.filter(({ point }) => shown.has(point));
}

function rangeOf({ listed, nowMs, sinceMs, untilMs }: TimelineInput, points: readonly RecoveryPoint[]): TimeRange {
  if (sinceMs !== undefined && untilMs !== undefined && sinceMs > untilMs) throw endsBeforeItBegins(sinceMs, untilMs);
  const certain = points.filter(({ clock }) => clock?.doubt === undefined).map(({ atMs }) => atMs);
  const toMs = untilMs ?? certain.reduce((latestMs, atMs) => Math.max(latestMs, atMs), Math.max(nowMs, sinceMs ?? 0));
  const oldestMs = points.reduce<number | undefined>((oldest, { atMs }) => Math.min(oldest ?? atMs, atMs), undefined);
  const fromMs = sinceMs ?? Math.min(toMs, beginning(oldestMs, listed.owners, toMs));
  return { fromMs: Math.min(fromMs, toMs - RANGE_MS_MIN), toMs };
}

/**
 * Start of the range: the oldest point, or a little earlier if that shows the first owner's
 * beginning.
 */
function beginning(oldestMs: number | undefined, owners: readonly Ownership[], toMs: number): number {
  const ownedMs = owners.length === 0 ? undefined : Math.min(...owners.map(({ fromMs }) => fromMs));
  if (oldestMs === undefined) return ownedMs ?? toMs;
  if (ownedMs === undefined || ownedMs > oldestMs) return oldestMs;
  return oldestMs - ownedMs <= (toMs - ownedMs) * LEAD_SHARE_MAX ? ownedMs : oldestMs;
}

function endsBeforeItBegins(sinceMs: number, untilMs: number): MoverError {
  const message = `the timeline would begin at ${new Date(sinceMs).toISOString()} and end before that, at ${new Date(untilMs).toISOString()}`;
  return invalidField('since', message);
}

interface LaneDraft {
  readonly name: string;
  readonly spans: Ownership[];
  readonly points: RecoveryPoint[];
  readonly leftOut: LeftOutPoint[];
}

function lanesOf(
  owner: PointOwner,
  { owners }: ListedPoints,
  points: readonly RecoveryPoint[],
  holes: readonly Hole[],
): Lane[] {
  const ofVolume = 'volume' in owner;
  const drafts = new Map<string, LaneDraft>();
  const lane = (name: string): LaneDraft => {
    const known = drafts.get(name) ?? { name, spans: [], points: [], leftOut: [] };
    drafts.set(name, known);
    return known;
  };
  for (const span of owners.toSorted((a, b) => a.fromMs - b.fromMs || a.epoch - b.epoch))
    lane(ofVolume ? span.group : span.volume).spans.push(span);
  for (const point of points) {
    if (ofVolume) lane(point.group).points.push(point);
    else {
      for (const { volume } of point.members) lane(volume).points.push(point);
      for (const { volume, reason } of point.leftOut) lane(volume).leftOut.push({ point, reason });
    }
  }
  return [...drafts.values()].map((draft) => {
    const own = holes.filter(({ volume }) => ofVolume || volume === draft.name);
    return { ...draft, holes: own.flatMap((hole) => partsOf(hole, draft.spans)) };
  });
}

function spanOfHole({ sinceMs, untilMs }: Hole): Span {
  return { fromMs: sinceMs, toMs: untilMs };
}

/**
 * The parts of a hole that a lane shows: those inside its spans, or all of it if ownership is
 * unknown.
 */
function partsOf(hole: Hole, spans: readonly Ownership[]): LaneHole[] {
  if (spans.length === 0) return [{ hole, ...spanOfHole(hole) }];
  const { sinceMs, untilMs } = hole;
  return spans.flatMap((span) => {
    const fromMs = Math.max(sinceMs, span.fromMs);
    const toMs = earlier(untilMs, span.toMs);
    // A hole that ends with a span is not in the next span, though their times touch.
    const touches = toMs === undefined || fromMs < toMs || (fromMs === toMs && sinceMs === untilMs);
    return touches ? [{ hole, fromMs, toMs }] : [];
  });
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.min(a, b);
}

function isInRange({ spans, points, leftOut, holes }: Lane, range: TimeRange): boolean {
  const hasPoints = points.length + leftOut.length > 0;
  return hasPoints || [...spans, ...holes].some((span) => overlaps(range, span));
}

const LETTERS = 26;
const LETTER_A = 65;

function markOf(index: number): string {
  const letter = String.fromCodePoint(LETTER_A + (index % LETTERS));
  return index < LETTERS ? letter : `${markOf(Math.floor(index / LETTERS) - 1)}${letter}`;
}

function bookmarksOf(points: readonly RecoveryPoint[]): MarkedPoint[] {
  const marked: MarkedPoint[] = [];
  for (const point of points) {
    const { bookmark } = point;
    if (bookmark !== undefined) marked.push({ mark: markOf(marked.length), point, bookmark });
  }
  return marked;
}
