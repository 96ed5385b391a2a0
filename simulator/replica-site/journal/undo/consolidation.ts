// One walk over the UNDO that has come to rest, oldest first: keeps of each interval between
// retained positions the first old content of every byte, and writes segments anew that hold much
// else, or that are small and side by side.
import { ExtentMap } from '../ranges/extent-map.js';
import type { Files } from '../terms/files.js';
import { intervalStart, signatureOf } from '../terms/retained-positions.js';
import type { Retained, Signature } from '../terms/retained-positions.js';
import { SEGMENT_HEADER_BYTES } from '../segments/segment-format.js';
import type { Segment } from '../segments/segment-log.js';
import { planSegment, planToKeepAll } from './segment-plan.js';
import type { IntervalCoverage, SegmentPlan } from './segment-plan.js';
import { rewriteSegments } from './segment-rewrite.js';
import type { UndoLog } from './undo-log.js';

/**
 * A segment is written anew if that frees an eighth of it: what is copied stays within 7 times what
 * is freed.
 */
const WORTH_SHARE = 8;
/**
 * Intervals of less consolidated UNDO than this are always looked at again when they grow, bytes.
 */
const SMALL_INTERVAL_BYTES = 64 * 1024 * 1024;
/**
 * Larger ones once they have grown by a quarter: every look reads the whole interval, to know what
 * it covers. So all looks together read 5 times as much as there is, and what lies there unlooked
 * at is a quarter at most.
 */
const GROWN_SHARE = 4;

export interface ConsolidationOptions {
  readonly files: Files;
  readonly undo: UndoLog;
  readonly segmentBytes: number;
  readonly sync: boolean;
  readonly examined: ExaminedSegments;
}

/** Bytes that a call may still read. */
export interface Budget {
  bytes: number;
}

/**
 * Segments found to hold nothing worth freeing, as long as the same positions are retained and they
 * don't grow.
 */
export class ExaminedSegments {
  readonly #known = new WeakMap<Segment, { readonly signature: Signature; readonly bytes: number }>();

  has(segment: Segment, signature: Signature): boolean {
    const known = this.#known.get(segment) ?? segment.consolidated;
    return (
      known?.bytes === segment.bytes &&
      known.signature.intervalStart === signature.intervalStart &&
      known.signature.positionsWithin === signature.positionsWithin
    );
  }

  add(segment: Segment, bytes: number, signature: Signature): void {
    this.#known.set(segment, { signature, bytes });
  }
}

/** `skipped`: not looked at yet, and not worth it now; its neighbours aren't joined with it. */
interface Visit {
  readonly segment: Segment;
  readonly how: 'read' | 'known' | 'skipped';
}

/**
 * Safe under any retained positions that follow the ones it was made for: positions once let go of
 * never come back, and it touches only what is at or before their `everyFrom`.
 */
export class Consolidation {
  readonly retained: Retained;
  readonly #options: ConsolidationOptions;
  readonly #visits: Visit[];
  readonly #coverage: Coverage;
  /** Neighbours to become one file. */
  #joined: SegmentPlan[] = [];
  #joinedBytes = SEGMENT_HEADER_BYTES;

  constructor(retained: Retained, options: ConsolidationOptions) {
    this.retained = retained;
    this.#options = options;
    this.#coverage = new Coverage(retained);
    this.#visits = this.#planVisits().reverse();
  }

  /**
   * Goes on until the end, which it tells by true, or until the budget is used up.
   * @throws JournalError CORRUPT
   */
  async run(
    budget: Budget,
    assertGoingOn: () => void,
  ): Promise<{ readonly done: boolean; readonly freedBytes: number }> {
    let freedBytes = 0;
    for (let visit = this.#visits.pop(); visit !== undefined; visit = this.#visits.pop()) {
      freedBytes += await this.#visit(visit, budget);
      assertGoingOn();
      if (budget.bytes <= 0 && this.#visits.length > 0) return { done: false, freedBytes };
    }
    freedBytes += await this.#writeJoined(budget);
    return { done: true, freedBytes };
  }

  #planVisits(): Visit[] {
    const { undo, examined } = this.#options;
    const { retained } = this;
    const resting = undo.segments.filter((segment) => segment.lastPosition <= retained.everyFrom);
    const marks = resting.map((segment) => {
      const signature = signatureOf(retained, segment.firstPosition, segment.lastPosition);
      return { segment, signature, known: examined.has(segment, signature) };
    });
    const sizes = new Map<number, { known: number; fresh: number }>();
    for (const { segment, signature, known } of marks) {
      const start = known ? intervalStart(retained, segment.lastPosition) : signature.intervalStart;
      const size = sizes.get(start) ?? { known: 0, fresh: 0 };
      size[known ? 'known' : 'fresh'] += segment.bytes;
      sizes.set(start, size);
    }
    // From the newest to the oldest, because what is looked at needs the coverage from its
    // interval's start on.
    const visits: Visit[] = [];
    let neededFrom = Infinity;
    for (const { segment, signature, known } of marks.toReversed()) {
      const size = sizes.get(signature.intervalStart);
      const small = size === undefined || size.known <= SMALL_INTERVAL_BYTES;
      const needed = segment.lastPosition > neededFrom;
      if (!needed) neededFrom = Infinity;
      const wanted = !known && (needed || small || size.fresh * GROWN_SHARE >= size.known);
      if (wanted) neededFrom = Math.min(neededFrom, signature.intervalStart);
      visits.push({ segment, how: wanted || needed ? 'read' : known ? 'known' : 'skipped' });
    }
    return visits.reverse();
  }

  async #visit({ segment, how }: Visit, budget: Budget): Promise<number> {
    const { files } = this.#options;
    const hasGrownOn = segment.lastPosition > this.retained.everyFrom;
    if (how === 'skipped' || hasGrownOn || !this.#isThere(segment)) return this.#writeJoined(budget);
    if (how === 'known') return this.#consider(planToKeepAll(segment), budget);
    budget.bytes -= segment.bytes;
    return this.#consider(await planSegment(files, segment, this.#coverage), budget);
  }

  /**
   * Joins the segment with those before it, if it is worth it. Returns the bytes freed by writing
   * those.
   */
  async #consider(plan: SegmentPlan, budget: Budget): Promise<number> {
    const { undo, segmentBytes } = this.#options;
    const { segment, bytes, keptBytes } = plan;
    const grows = segment === undo.growing;
    const isSmall = keptBytes + SEGMENT_HEADER_BYTES < segmentBytes / 2;
    if (segment.bytes > bytes || !(isWorth(plan) || (isSmall && !grows))) {
      if (segment.bytes === bytes) this.#markExamined(plan);
      return this.#writeJoined(budget);
    }
    const fits = this.#joinedBytes + keptBytes <= segmentBytes;
    const freedBytes = fits ? 0 : await this.#writeJoined(budget);
    if (segment.bytes > bytes) return freedBytes;
    if (segment === undo.growing) undo.seal();
    this.#joined.push(plan);
    this.#joinedBytes += keptBytes;
    return freedBytes;
  }

  async #writeJoined(budget: Budget): Promise<number> {
    const { files, undo, sync } = this.#options;
    const [first, ...others] = this.#joined.filter(({ segment }) => this.#isThere(segment));
    this.#joined = [];
    this.#joinedBytes = SEGMENT_HEADER_BYTES;
    if (first === undefined) return 0;
    const plans = [first, ...others] as const;
    if (others.length === 0 && !isWorth(first)) {
      this.#markExamined(first);
      return 0;
    }
    const last = others.at(-1) ?? first;
    const signature = signatureOf(this.retained, first.segment.firstPosition, last.segment.lastPosition);
    const before = plans.reduce((sum, plan) => sum + plan.bytes, 0);
    const kept = plans.reduce((sum, plan) => sum + plan.keptBytes, 0);
    budget.bytes -= kept;
    const segment = await rewriteSegments({ files, sync }, plans, signature);
    undo.replace(
      plans.map((plan) => plan.segment),
      segment,
    );
    return before - segment.bytes;
  }

  /** Trims may have come between two calls: they take from the front. */
  #isThere(segment: Segment): boolean {
    const first = this.#options.undo.segments[0];
    return first !== undefined && first.sequence <= segment.sequence;
  }

  #markExamined({ segment, bytes }: SegmentPlan): void {
    const signature = signatureOf(this.retained, segment.firstPosition, segment.lastPosition);
    this.#options.examined.add(segment, bytes, signature);
  }
}

function isWorth({ bytes, keptBytes }: SegmentPlan): boolean {
  const freed = bytes - SEGMENT_HEADER_BYTES - keptBytes;
  return freed > 0 && freed * WORTH_SHARE >= bytes;
}

class Coverage implements IntervalCoverage {
  readonly #retained: Retained;
  #start = Number.NaN;
  /** Positions up to this one are of the same interval. */
  #end = -1;
  #extents = new ExtentMap();

  constructor(retained: Retained) {
    this.#retained = retained;
  }

  enter(position: number): { readonly needed: boolean; readonly extents: ExtentMap } {
    if (position > this.#end) this.#begin(position);
    return { needed: this.#start >= 0, extents: this.#extents };
  }

  #begin(position: number): void {
    const start = intervalStart(this.#retained, position);
    if (start !== this.#start) this.#extents = new ExtentMap();
    this.#start = start;
    this.#end = position;
  }
}
