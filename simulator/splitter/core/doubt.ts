// What the two ends' words about a volume mean, when it is attached: what to compare, and what to
// change before trying again.
import type { Advice, Confirmed, LifeId, LineageId } from '../../../contracts/lineage.js';
import { REGION_BYTES } from './marks.js';
import type { VolumeSplit } from './volume-split.js';

/** What the replica site says of the history that it has. */
export interface Meeting {
  readonly lineage: LineageId;
  /** Position before the session's first record. */
  readonly base: number;
  /** The life that was attached before. */
  readonly former?: LifeId | undefined;
  /**
   * Runs of regions that records after the confirmed position changed; undefined when that is not
   * known.
   */
  readonly touched?: readonly (readonly [first: number, count: number])[] | undefined;
}

/**
 * Why the replica may differ where no mark says so, as a clause for people; undefined when the
 * marks tell all of it. For the first attachment of a session: later ones know by receipts what
 * arrived.
 * @param isKnown whether a life is of this folder, as far as it is remembered
 */
export function doubtOf(split: VolumeSplit, meeting: Meeting, isKnown: (life: LifeId) => boolean): string | undefined {
  const { base, former, touched } = meeting;
  if (base === 0) return undefined;
  if (former !== undefined && !isKnown(former))
    return 'the replica has writes of another life of this splitter: its folder is older, or the volume ran elsewhere';
  if (touched === undefined)
    return 'it is not known any more what the replica received after the last write that was confirmed here';
  // A mark alone says nothing: a write of this life may have set it, whose receipt clears it. What
  // is to be sent whole is safe.
  const { marks } = split;
  const unknown = touched.some(([first, count]) => {
    for (let region = first; region < first + count; region += 1)
      if (!marks.isDirty(region * REGION_BYTES, 1) && !marks.isDoubted(region)) return true;
    return false;
  });
  return unknown ? 'the replica has writes that this splitter does not know: its folder is older' : undefined;
}

export type Remedy =
  /** Somebody else owns the volume: its writes go there. */
  | { readonly kind: 'reroute'; readonly owner: NonNullable<Advice['owner']> }
  /** The session's number was used by another life. */
  | { readonly kind: 'renumber'; readonly sessionMin: number }
  /**
   * The replica's history is not the one that was confirmed: a session of its own, and everything
   * is compared.
   */
  | { readonly kind: 'startOver'; readonly lineage: Confirmed; readonly sessionMin: number };

/**
 * What the splitter does before it attaches the volume again; undefined when only waiting helps.
 */
export function remedyFor(split: VolumeSplit, { owner, sessionMin, lineage }: Advice): Remedy | undefined {
  if (owner !== undefined) return { kind: 'reroute', owner };
  if (lineage !== undefined) return { kind: 'startOver', lineage, sessionMin: sessionMin ?? 0 };
  if (sessionMin === undefined) return undefined;
  if (split.isNewSession) return { kind: 'renumber', sessionMin };
  // Another life took the volume over while this one was attached: what it wrote is not known here.
  return split.confirmed === undefined ? undefined : { kind: 'startOver', lineage: split.confirmed, sessionMin };
}
