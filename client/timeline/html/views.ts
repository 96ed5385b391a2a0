// The views of a page: everything, and shorter ranges with the same end that show enough.
import type { PointOwner, ListedPoints } from '../../points/list.js';
import type { TimeRange } from '../range.js';
import { createTimeline, type Timeline } from '../timeline.js';

export interface View {
  readonly id: string;
  readonly name: string;
  readonly timeline: Timeline;
}

export interface TimelinePageInput {
  readonly owner: PointOwner;
  /** The listing. For a group it includes its volumes' holes, as `listHistory` returns them. */
  readonly listed: ListedPoints;
  readonly nowMs: number;
  /** The range of the picture, chosen or cut by `createTimeline`. */
  readonly range: TimeRange;
}

const HOUR_MS = 3_600_000;
const SHORTER: readonly (readonly [id: string, name: string, periodMs: number])[] = [
  ['7d', 'Last 7 days', 7 * 24 * HOUR_MS],
  ['24h', 'Last 24 hours', 24 * HOUR_MS],
  ['1h', 'Last hour', HOUR_MS],
];
/** A shorter view covers at most this share of everything; a longer one would look the same. */
const SHARE_MAX = 0.7;
const POINTS_MIN = 2;

export function viewsOf({ owner, listed, nowMs, range }: TimelinePageInput): [View, ...View[]] {
  const timelineSince = (sinceMs: number): Timeline =>
    createTimeline({ owner, listed, nowMs, sinceMs, untilMs: range.toMs });
  const shorter = SHORTER.filter(([, , periodMs]) => periodMs < (range.toMs - range.fromMs) * SHARE_MAX)
    .map(([id, name, periodMs]): View => ({ id, name, timeline: timelineSince(range.toMs - periodMs) }))
    .filter(({ timeline }) => timeline.points.length >= POINTS_MIN);
  return [{ id: 'all', name: 'Everything', timeline: timelineSince(range.fromMs) }, ...shorter];
}
