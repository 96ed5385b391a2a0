// Counts a batch's ended moves by span of time, for each pair of groups. Memory does not grow with
// the number of moves.
import { cellOf, type TimeRange } from '../../../timeline/range.js';
import type { BatchMoveReport } from '../../batch-moves.js';

export interface Lane {
  readonly from: string;
  readonly to: string;
  readonly moved: Uint32Array;
  readonly failed: Uint32Array;
  moves: number;
}

export class Buckets {
  readonly range: TimeRange;
  readonly count: number;
  readonly #lanes = new Map<string, Lane>();

  constructor(range: TimeRange, count: number) {
    this.range = range;
    this.count = count;
  }

  add({ from, to, outcome, endedAtMs }: BatchMoveReport): void {
    if (endedAtMs === undefined || (outcome !== 'moved' && outcome !== 'failed')) return;
    const key = `${from} ${to}`;
    const lane = this.#lanes.get(key) ?? {
      from,
      to,
      moved: new Uint32Array(this.count),
      failed: new Uint32Array(this.count),
      moves: 0,
    };
    this.#lanes.set(key, lane);
    const cell = cellOf(this.range, this.count, endedAtMs);
    const cells = outcome === 'moved' ? lane.moved : lane.failed;
    cells[cell] = (cells[cell] ?? 0) + 1;
    lane.moves += 1;
  }

  /** The lanes, those with the most moves first. */
  lanes(): Lane[] {
    return [...this.#lanes.values()].toSorted(
      (a, b) => b.moves - a.moves || (`${a.from} ${a.to}` < `${b.from} ${b.to}` ? -1 : 1),
    );
  }
}
