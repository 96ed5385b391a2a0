// Places bookmark flags so that none hides another: side by side, then stacked, then merged into
// one.
import type { MarkedPoint } from '../timeline.js';

export interface Flag {
  /** Centre of the flag. */
  readonly x: number;
  readonly row: number;
  readonly marked: readonly MarkedPoint[];
  readonly width: number;
}

const ROWS_MAX = 3;
const GAP = 3;
const HEIGHT = 20;
const CHARACTER_WIDTH = 9;

/** The letter of one bookmark, or the number of several. */
export function flagLabel(marked: readonly MarkedPoint[]): string {
  return marked.length === 1 ? (marked[0]?.mark ?? '') : `${marked.length}×`;
}

function widthOf(label: string): number {
  return Math.max(HEIGHT, label.length * CHARACTER_WIDTH + 8);
}

/** Places the flags. @param xOf the position of a bookmark; positions ascend */
export function placeFlags(
  bookmarks: readonly MarkedPoint[],
  xOf: (marked: MarkedPoint) => number,
  [left, right]: readonly [number, number],
): Flag[] {
  const rows: Flag[][] = [];
  for (const marked of bookmarks) {
    const width = widthOf(flagLabel([marked]));
    const x = Math.min(right - width / 2, Math.max(left + width / 2, xOf(marked)));
    const free = rows.findIndex((row) => endOf(row.at(-1)) + GAP <= x - width / 2);
    const row = free < 0 && rows.length < ROWS_MAX ? rows.push([]) - 1 : free;
    const flags = rows[row < 0 ? ROWS_MAX - 1 : row];
    const before = flags?.at(-1);
    if (row >= 0) flags?.push({ x, row, marked: [marked], width });
    else if (before !== undefined) {
      const all = [...before.marked, marked];
      flags?.splice(-1, 1, { ...before, marked: all, width: widthOf(flagLabel(all)) });
    }
  }
  return rows.flat();
}

function endOf(flag: Flag | undefined): number {
  return flag === undefined ? Number.NEGATIVE_INFINITY : flag.x + flag.width / 2;
}
