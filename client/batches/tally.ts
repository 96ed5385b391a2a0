// Totals of a batch's moves by pair of groups: counts, bytes and durations. It keeps one number per
// move.
import type { GroupId, VolumeId } from '../../contracts/ids.js';
import type { BatchMoveOutcome, BatchMoveReport } from './batch-moves.js';

/** How many of the longest moves are shown. */
const LONGEST_SHOWN = 5;

export interface Durations {
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly longestMs: number;
}

export interface GroupTally {
  readonly from: GroupId;
  readonly to: GroupId;
  readonly counts: Readonly<Record<BatchMoveOutcome, number>>;
  readonly volumesMoved: number;
  readonly bytesMoved: number;
  /** Start of its first move and end of its last; absent without moves. */
  readonly span?: { readonly fromMs: number; readonly toMs: number };
  /** Durations of the moves that succeeded; absent when none did. */
  readonly durations?: Durations;
}

export interface LongMove {
  readonly volumes: readonly VolumeId[];
  readonly to: GroupId;
  readonly tookMs: number;
}

interface Sum {
  readonly from: GroupId;
  readonly to: GroupId;
  readonly counts: Record<BatchMoveOutcome, number>;
  volumesMoved: number;
  bytesMoved: number;
  fromMs: number;
  toMs: number;
  readonly tookMs: number[];
}

export class BatchTally {
  readonly #sums = new Map<string, Sum>();
  #longest: LongMove[] = [];
  #moves = 0;

  add(move: BatchMoveReport): void {
    const { from, to, volumes, outcome, sizeBytes, startedAtMs, endedAtMs } = move;
    const sum = this.#sumOf(from, to);
    this.#moves += 1;
    sum.counts[outcome] += 1;
    if (startedAtMs === undefined || endedAtMs === undefined) return;
    sum.fromMs = Math.min(sum.fromMs, startedAtMs);
    sum.toMs = Math.max(sum.toMs, endedAtMs);
    if (outcome !== 'moved') return;
    const tookMs = endedAtMs - startedAtMs;
    sum.volumesMoved += volumes.length;
    sum.bytesMoved += sizeBytes;
    sum.tookMs.push(tookMs);
    if (this.#longest.length < LONGEST_SHOWN || tookMs > (this.#longest.at(-1)?.tookMs ?? 0))
      this.#longest = [...this.#longest, { volumes, to, tookMs }]
        .toSorted((a, b) => b.tookMs - a.tookMs)
        .slice(0, LONGEST_SHOWN);
  }

  get moves(): number {
    return this.#moves;
  }

  /** The longest successful moves, longest first. */
  get longest(): readonly LongMove[] {
    return this.#longest;
  }

  /** Totals by pair of groups, sorted by source, then target. */
  groups(): GroupTally[] {
    const sums = [...this.#sums].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, sum]) => sum);
    return sums.map(({ fromMs, toMs, tookMs, ...sum }) => {
      const durations = durationsOf(tookMs);
      return {
        ...sum,
        ...(toMs < fromMs ? {} : { span: { fromMs, toMs } }),
        ...(durations === undefined ? {} : { durations }),
      };
    });
  }

  /** Durations of all successful moves; undefined when none did. */
  durations(): Durations | undefined {
    return durationsOf([...this.#sums.values()].flatMap(({ tookMs }) => tookMs));
  }

  #sumOf(from: GroupId, to: GroupId): Sum {
    const key = `${from} ${to}`;
    const known = this.#sums.get(key);
    if (known !== undefined) return known;
    const counts = { moved: 0, failed: 0, cancelled: 0, 'already-there': 0, 'window-closed': 0, 'not-moved': 0 };
    const sum = { from, to, counts, volumesMoved: 0, bytesMoved: 0, fromMs: Infinity, toMs: -Infinity, tookMs: [] };
    this.#sums.set(key, sum);
    return sum;
  }
}

/** Percentiles by nearest rank: 95 % of the moves took `p95Ms` or less. */
function durationsOf(tookMs: readonly number[]): Durations | undefined {
  const sorted = Float64Array.from(tookMs).sort();
  const rank = (percent: number): number => sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? 0;
  return sorted.length === 0 ? undefined : { medianMs: rank(50), p95Ms: rank(95), longestMs: rank(100) };
}
