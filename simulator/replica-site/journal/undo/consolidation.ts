// One walk over the UNDO that no longer grows, oldest first. Of each interval between retained
// positions it keeps the first old content of every byte. It rewrites segments that hold much else,
// and joins small neighbours.
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
 * A segment is rewritten if that frees an eighth of it, so that at most 7 bytes are copied for each
 * byte freed.
 */
const WORTH_SHARE = 8;
/** Intervals with less consolidated UNDO than this, bytes, are re-read whenever they grow. */
const SMALL_INTERVAL_BYTES = 64 * 1024 * 1024;
/**
 * Larger intervals are re-read once they have grown by a quarter, because a visit reads the whole
 * interval to know what it covers. Re-reading only after 25 % growth bounds total reads to 5× the
 * data, and leaves at most a quarter unconsolidated.
 */
const GROWN_SHARE = 4;

export interface ConsolidationOptions {
  readonly files: Files;
  readonly undo: UndoLog;
  readonly segmentBytes: number;
  readonly sync: boolean;
  readonly examined: ExaminedSegments;
}

/** Bytes of work left to a call. */
export interface Budget {
  bytes: number;
}

/**
 * Segments with nothing worth freeing, as long as they don't grow and the same positions are
 * retained.
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

/**
 * What to do with a segment: `read` it; `known` to hold nothing worth freeing; or `skipped`: not
 * worth reading now, and not to be joined with its neighbours.
 */
interface Visit {
  readonly segment: Segment;
  readonly how: 'read' | 'known' | 'skipped';
}

/**
 * A walk for one set of retained positions. It stays safe when fewer are retained later: dropped
 * positions never come back, and it touches only segments up to their `everyFrom`.
 */
export class Consolidation {
  readonly retained: Retained;
  readonly #options: ConsolidationOptions;
  readonly #visits: Visit[];
  readonly #coverage: Coverage;
  /** Plans of neighbouring segments that will become one file. */
  #joined: SegmentPlan[] = [];
  #joinedBytes = SEGMENT_HEADER_BYTES;

  constructor(retained: Retained, options: ConsolidationOptions) {
    this.retained = retained;
    this.#options = options;
    this.#coverage = new Coverage(retained);
    this.#visits = this.#planVisits().reverse();
  }

  /**
   * Walks until the end (`done`) or until the budget is used up.
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
    // Newest first: a segment that is read needs the coverage from the start of its interval on.
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
    const hasGrown = segment.lastPosition > this.retained.everyFrom;
    if (how === 'skipped' || hasGrown || !this.#isThere(segment)) return this.#writeJoined(budget);
    if (how === 'known') return this.#join(planToKeepAll(segment), budget);
    budget.bytes -= segment.bytes;
    return this.#join(await planSegment(files, segment, this.#coverage), budget);
  }

  /**
   * Joins the segment with those before it if that is worth it. Returns the bytes freed by writing
   * the joined ones before it.
   */
  async #join(plan: SegmentPlan, budget: Budget): Promise<number> {
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

  /**
   * Whether the segment is still in the log: a trim between two calls drops segments from the
   * front.
   */
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
  /** Positions up to this one are in the same interval. */
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
