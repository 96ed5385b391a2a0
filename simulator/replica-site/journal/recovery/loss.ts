// Judges what a damaged folder still proves: which records are applied, which are lost, and which
// bytes are in doubt.
import type { AppliedReach } from '../manifest/applied-mark.js';
import { BATCH_RECORDS_MAX } from '../do/batch.js';
import type { ByteRange, DamageOf, DamagePlace } from '../terms/damage.js';
import type { DoGap, RecoveredDo } from './recovered-do.js';
import type { RecoveredUndo, UndoLoss } from './recovered-segments.js';

/** Records that were durable and are lost; the lineage ends before them. */
export interface Loss {
  readonly after: number;
  /** No record gets a position up to this one any more. */
  readonly upTo: number;
  readonly ranges: readonly ByteRange[] | 'all';
  /** Sound records up to this position are applied before the lineage ends. */
  readonly drainTo: number;
  readonly place: DamagePlace;
}

/** Applied records that are gone from DO: the replica image may lack parts of them. */
export interface Suspect {
  readonly from: number;
  readonly ranges: readonly ByteRange[];
}

export interface Verdict {
  /** The last position that is applied whole. */
  readonly applied: number;
  /** The position after it, if a part of it is applied. */
  readonly partial: number | undefined;
  readonly loss: Loss | undefined;
  readonly undoLoss: UndoLoss | undefined;
  readonly suspects: readonly Suspect[];
}

export interface Evidence {
  readonly undo: RecoveredUndo;
  readonly found: RecoveredDo;
  /**
   * The highest position that is applied, by UNDO or the manifest; the last one perhaps in part.
   */
  readonly undoPosition: number;
  readonly isPartial: boolean;
  /** Bytes of the last position that UNDO covers, if only a part of it is applied. */
  readonly done: number;
  /** All records up to this position are certainly in the replica image. */
  readonly floor: number;
  /** What is known to be applied even if UNDO doesn't say so. */
  readonly mark: AppliedReach;
  /** A loss that an earlier opening found. */
  readonly pending: DamageOf<'records'> | undefined;
  /** The last position that others know of: points, the splitter, an earlier life. */
  readonly knownPosition: number;
  /** UNDO of positions up to this one was dropped. */
  readonly trimPosition: number;
  /** The last position before this one that has a record; lost positions lie between the two. */
  readonly positionBefore: (position: number) => number;
  /** Bytes that positions overwrote, according to UNDO; undefined if it is not all there. */
  readonly rangesOfUndo: (from: number, to: number) => Promise<readonly ByteRange[] | undefined>;
  readonly folderPlace: DamagePlace;
}

export async function judge(evidence: Evidence): Promise<Verdict> {
  return await new Judgement(evidence).reach();
}

/** A judgement in the making. Each step may lower what counts as applied, and add losses. */
class Judgement {
  readonly #evidence: Evidence;
  readonly #undo: RecoveredUndo;
  #applied: number;
  #partial: number | undefined;
  #undoLoss: UndoLoss | undefined;
  readonly #losses: Omit<Loss, 'drainTo'>[] = [];
  readonly #suspects: Suspect[] = [];
  /**
   * Upper bound of the positions in the DO files: an unreadable end counts as headers only. A tail
   * that was cut off is not counted (isCutOff).
   */
  readonly #seenUpTo: number;

  constructor(evidence: Evidence) {
    const { found, undoPosition, isPartial, pending } = evidence;
    this.#evidence = evidence;
    this.#undo = withKnownEnd(evidence);
    this.#applied = isPartial ? undoPosition - 1 : undoPosition;
    this.#partial = isPartial ? undoPosition : undefined;
    this.#undoLoss = this.#undo.loss;
    this.#seenUpTo = Math.max(found.seenUpTo, found.last?.position ?? 0);
    if (pending !== undefined) {
      const { after, upTo, ranges, file, offset } = pending;
      this.#losses.push({ after, upTo, ranges, place: { file, offset } });
    }
  }

  async reach(): Promise<Verdict> {
    this.#judgeEndOfUndo();
    const isApart = this.#isDoApart();
    if (isApart) this.#loseAllBetween();
    else await this.#judgeGaps();
    return this.#verdict(isApart);
  }

  /** The end of UNDO is lost: more may be applied than it says. */
  #judgeEndOfUndo(): void {
    const { found, floor, mark } = this.#evidence;
    const { unknownUpTo } = this.#undo;
    const undoLoss = this.#undoLoss;
    if (unknownUpTo === undefined || undoLoss === undefined) return;
    const last = found.last?.position;
    // Redo of DO brings the replica image there again.
    this.#partial = undefined;
    const certain = Math.max(this.#applied, floor, mark.position);
    if (last !== undefined && last > certain) this.#applied = Math.min(last, Math.max(unknownUpTo, certain));
    else if (mark.position > 0 || unknownUpTo <= floor) this.#applied = certain;
    else this.#loseAll(this.#applied, undoLoss.place, unknownUpTo);
    // What was cut off DO may have been applied, with UNDO that is lost.
    const end = Math.max(this.#applied, last ?? 0);
    if (found.isCutOff && unknownUpTo > end) this.#loseAll(end, undoLoss.place, unknownUpTo);
    this.#undoLoss = { ...undoLoss, before: Math.max(this.#applied, this.#losses.at(-1)?.upTo ?? 0) };
  }

  /** Whether DO begins behind what is applied, so that records in between are missing. */
  #isDoApart(): boolean {
    const { found, positionBefore } = this.#evidence;
    return found.first !== undefined && positionBefore(found.first) > Math.max(this.#applied, this.#partial ?? 0);
  }

  #loseAllBetween(): void {
    const { undoPosition } = this.#evidence;
    const place = this.#firstPlace;
    this.#loseAll(this.#applied, place);
    this.#undoLoss = { before: Math.max(this.#seenUpTo, undoPosition), place, rest: undefined };
  }

  async #judgeGaps(): Promise<void> {
    const { found, floor, folderPlace } = this.#evidence;
    for (const gap of found.gaps) {
      await this.#suspect(Math.max(gap.from, floor + 1), Math.min(gap.to, this.#applied), gap.ranges, gap.place);
      if (gap.to <= this.#applied) continue;
      this.#losses.push(lossOf(gap, this.#applied, found, this.#seenUpTo));
      break;
    }
    const last = found.last?.position;
    if (last !== undefined && last < this.#applied)
      await this.#suspect(Math.max(last, floor) + 1, this.#applied, undefined, folderPlace);
    const partial = this.#partial;
    if (partial === undefined || found.runs.some((run) => run.from <= partial && run.to >= partial)) return;
    this.#loseAll(this.#applied, this.#firstPlace);
    await this.#suspect(partial, partial, undefined, folderPlace);
    this.#partial = undefined;
  }

  #verdict(isApart: boolean): Verdict {
    const { found, knownPosition, folderPlace } = this.#evidence;
    const [applied, partial, losses] = [this.#applied, this.#partial, this.#losses];
    // The run of sound records right after the applied ones can be applied too.
    const next = Math.max(applied, partial ?? 0);
    const run = isApart ? undefined : found.runs.find(({ from, to }) => from <= next + 1 && to > next);
    const drainTo = Math.max(next, run?.to ?? 0);
    if (losses.length === 0 && knownPosition > Math.max(drainTo, found.last?.position ?? 0)) {
      losses.push({ after: drainTo, upTo: knownPosition, ranges: 'all', place: folderPlace });
    }
    const loss = merged(losses, knownPosition, drainTo);
    let undoLoss = this.#undoLoss;
    // A lost record may be in the replica image, and the UNDO that would take it out is lost, too.
    if (loss !== undefined && undoLoss !== undefined && (this.#undo.unknownUpTo ?? 0) > loss.after)
      undoLoss = { ...undoLoss, before: Math.max(undoLoss.before, loss.upTo) };
    return { applied, partial, loss, undoLoss, suspects: this.#suspects };
  }

  /** Where DO is first damaged; the folder, if nowhere. */
  get #firstPlace(): DamagePlace {
    const { found, folderPlace } = this.#evidence;
    return found.gaps[0]?.place ?? folderPlace;
  }

  /** Records after `after` are lost, and nobody knows what they wrote. */
  #loseAll(after: number, place: DamagePlace, upTo = this.#seenUpTo): void {
    const end = Math.max(upTo, this.#evidence.undoPosition, after);
    this.#losses.push({ after, upTo: end, ranges: 'all', place });
  }

  /** Applied records that are gone from DO. What they wrote is in UNDO, or unknown. */
  async #suspect(
    from: number,
    to: number,
    ranges: readonly ByteRange[] | undefined,
    place: DamagePlace,
  ): Promise<void> {
    if (from > to) return;
    const known = ranges ?? (await this.#evidence.rangesOfUndo(from, to));
    if (known === undefined) this.#loseAll(from - 1, place);
    else this.#suspects.push({ from, ranges: known });
  }
}

/**
 * UNDO with its lost end, if it ends before what is known to be applied. The last batch may be
 * applied without its mark.
 */
function withKnownEnd(evidence: Evidence): RecoveredUndo {
  const { undo, floor, mark, trimPosition, positionBefore, folderPlace } = evidence;
  const marked = mark.position;
  const upTo = Math.max(marked, floor) + BATCH_RECORDS_MAX;
  if (undo.unknownUpTo !== undefined) {
    return { ...undo, unknownUpTo: marked === 0 ? undo.unknownUpTo : Math.min(undo.unknownUpTo, upTo) };
  }
  const end = undo.segments.at(-1)?.lastPosition ?? trimPosition;
  const isThere = Math.max(marked, positionBefore(floor + 1)) <= Math.max(end, trimPosition);
  if (isThere && !isBeyond(evidence)) return undo;
  const last = undo.segments.at(-1);
  const place = last === undefined ? folderPlace : { file: last.path, offset: last.bytes };
  return { ...undo, loss: { before: upTo, place, rest: undefined }, unknownUpTo: upTo };
}

/** Whether more of the last position is in the replica image than UNDO says. */
function isBeyond({ mark, undoPosition, isPartial, done }: Evidence): boolean {
  if (isPartial) return mark.position >= undoPosition || (mark.position === undoPosition - 1 && mark.done > done);
  return mark.position === undoPosition && mark.done > 0;
}

function lossOf(gap: DoGap, applied: number, found: RecoveredDo, seenUpTo: number): Omit<Loss, 'drainTo'> {
  const after = Math.max(gap.from - 1, applied);
  const gaps = found.gaps.filter(({ to }) => to > after);
  const ranges =
    gap.from - 1 < applied || found.afterGap === undefined || gaps.some((one) => one.ranges === undefined)
      ? 'all'
      : [
          ...gaps.flatMap((one) => one.ranges ?? []),
          ...found.afterGap.filter(({ position }) => position > after).map(({ range }) => range),
        ];
  return { after, upTo: Math.max(seenUpTo, gap.to), ranges, place: gap.place };
}

function merged(losses: readonly Omit<Loss, 'drainTo'>[], knownPosition: number, drainTo: number): Loss | undefined {
  const [first] = losses;
  if (first === undefined) return undefined;
  const ranges = losses.flatMap((loss) => (loss.ranges === 'all' ? [] : loss.ranges));
  const upTo = Math.max(drainTo, ...losses.map((loss) => loss.upTo));
  return {
    after: Math.min(...losses.map((loss) => loss.after)),
    upTo: Math.max(upTo, knownPosition),
    // Nobody here saw the records that others know of, so what they wrote is unknown.
    ranges: knownPosition > upTo || losses.some((loss) => loss.ranges === 'all') ? 'all' : ranges,
    drainTo,
    place: first.place,
  };
}
