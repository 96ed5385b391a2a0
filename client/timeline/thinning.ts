// Thins thousands of points to a few hundred columns: what each column of a lane contains, and how
// high it is drawn.
import type { RecoveryPoint } from '../../contracts/point.js';
import { cellOf, type TimeRange } from './range.js';
import type { Lane, LeftOutPoint } from './timeline.js';

/** A non-empty column of a lane. */
export interface Cell {
  readonly index: number;
  /** Points that contain the lane's volume, oldest first. */
  readonly points: readonly RecoveryPoint[];
  readonly leftOut: readonly LeftOutPoint[];
}

/** The non-empty cells in order. Every point of the lane is in exactly one. */
export function cellsOf({ points, leftOut }: Lane, range: TimeRange, cells: number): Cell[] {
  const filled = new Map<number, { index: number; points: RecoveryPoint[]; leftOut: LeftOutPoint[] }>();
  const cell = (atMs: number): { points: RecoveryPoint[]; leftOut: LeftOutPoint[] } => {
    const index = cellOf(range, cells, atMs);
    const known = filled.get(index) ?? { index, points: [], leftOut: [] };
    filled.set(index, known);
    return known;
  };
  for (const point of points) cell(point.atMs).points.push(point);
  for (const out of leftOut) cell(out.point.atMs).leftOut.push(out);
  return [...filled.values()].toSorted((a, b) => a.index - b.index);
}

/**
 * The height of a count, 1 to `levels`. Linear while the levels suffice, else logarithmic: policies
 * keep the last hour by the second and the last month by the week. One point is always the lowest
 * level.
 */
export function levelOf(count: number, countMax: number, levels: number): number {
  if (countMax <= levels) return Math.min(count, levels);
  return 1 + Math.round(((levels - 1) * Math.log(count)) / Math.log(countMax));
}
