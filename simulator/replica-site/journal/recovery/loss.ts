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
  readonly knownPosition: number;
  /** UNDO of positions up to this one was dropped. */
  readonly trimPosition: number;
  readonly positionBefore: (position: number) => number;
  /** Bytes that positions overwrote, according to UNDO; undefined if it is not all there. */
  readonly rangesOfUndo: (from: number, to: number) => Promise<readonly ByteRange[] | undefined>;
  readonly folderPlace: DamagePlace;
}

export async function judge(evidence: Evidence): Promise<Verdict> {
  const { found, undoPosition, isPartial, floor, pending, knownPosition } = evidence;
  const marked = evidence.mark.position;
  const undo = withKnownEnd(evidence);
  const last = found.last?.position;
  let applied = isPartial ? undoPosition - 1 : undoPosition;
  let partial = isPartial ? undoPosition : undefined;
  let undoLoss = undo.loss;
  const losses: Omit<Loss, 'drainTo'>[] = [];
  if (pending !== undefined) {
    const { after, upTo, ranges, file, offset } = pending;
    losses.push({ after, upTo, ranges, place: { file, offset } });
  }
  const seenUpTo = Math.max(found.seenUpTo, last ?? 0);
  const loseAll = (after: number, place: DamagePlace, upTo = seenUpTo): void => {
    losses.push({ after, upTo: Math.max(upTo, undoPosition, after), ranges: 'all', place });
  };

  if (undo.unknownUpTo !== undefined && undoLoss !== undefined) {
    // More may be applied than UNDO says: redo of DO brings the replica image there again.
    partial = undefined;
    const certain = Math.max(applied, floor, marked);
    if (last !== undefined && last > certain) applied = Math.min(last, Math.max(undo.unknownUpTo, certain));
    else if (marked > 0 || undo.unknownUpTo <= floor) applied = certain;
    else loseAll(applied, undoLoss.place, undo.unknownUpTo);
    // What was cut off DO may have been applied, with UNDO that is lost.
    const end = Math.max(applied, last ?? 0);
    if (found.isCutOff && undo.unknownUpTo > end) loseAll(end, undoLoss.place, undo.unknownUpTo);
    undoLoss = { ...undoLoss, before: Math.max(applied, losses.at(-1)?.upTo ?? 0) };
  }
  const isApart = found.first !== undefined && evidence.positionBefore(found.first) > Math.max(applied, partial ?? 0);
  const firstGap = found.gaps[0];
  const suspects: Suspect[] = [];
  const doubt = async (
    from: number,
    to: number,
    ranges: readonly ByteRange[] | undefined,
    place: DamagePlace,
  ): Promise<void> => {
    if (from > to) return;
    const known = ranges ?? (await evidence.rangesOfUndo(from, to));
    if (known === undefined) loseAll(from - 1, place);
    else suspects.push({ from, ranges: known });
  };
  if (isApart) {
    const place = firstGap?.place ?? evidence.folderPlace;
    loseAll(applied, place);
    undoLoss = { before: Math.max(seenUpTo, undoPosition), place, rest: undefined };
  } else {
    for (const gap of found.gaps) {
      await doubt(Math.max(gap.from, floor + 1), Math.min(gap.to, applied), gap.ranges, gap.place);
      if (gap.to <= applied) continue;
      losses.push(lossOf(gap, applied, found, seenUpTo));
      break;
    }
    if (last !== undefined && last < applied) {
      await doubt(Math.max(last, floor) + 1, applied, undefined, evidence.folderPlace);
    }
    const isThere = found.runs.some((run) => partial !== undefined && run.from <= partial && run.to >= partial);
    if (partial !== undefined && !isThere) {
      loseAll(applied, firstGap?.place ?? evidence.folderPlace);
      await doubt(partial, partial, undefined, evidence.folderPlace);
      partial = undefined;
    }
  }
  // The run of sound records right after the applied ones can be applied too.
  const next = Math.max(applied, partial ?? 0);
  const run = isApart ? undefined : found.runs.find(({ from, to }) => from <= next + 1 && to > next);
  const drainTo = Math.max(next, run?.to ?? 0);
  if (losses.length === 0 && knownPosition > Math.max(drainTo, last ?? 0)) {
    losses.push({ after: drainTo, upTo: knownPosition, ranges: 'all', place: evidence.folderPlace });
  }
  const loss = merged(losses, knownPosition, drainTo);
  // A lost record may be in the replica image, and the UNDO that would take it out is lost, too.
  if (loss !== undefined && undoLoss !== undefined && (undo.unknownUpTo ?? 0) > loss.after)
    undoLoss = { ...undoLoss, before: Math.max(undoLoss.before, loss.upTo) };
  return { applied, partial, loss, undoLoss, suspects };
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
