// What to do when a volume is attached, by what its two ends know: compare it, or change something
// and try again.
import type { Advice, Confirmed, LifeId, LineageId } from '../../../contracts/lineage.js';
import { REGION_BYTES } from './marks.js';
import type { VolumeSplit } from './volume-split.js';

/** What the replica site says of its history of the volume. */
export interface Meeting {
  readonly lineage: LineageId;
  /** Position before the session's first record. */
  readonly base: number;
  /** The life that was attached last. */
  readonly former?: LifeId | undefined;
  /** Runs of regions changed by records after the confirmed position; undefined when unknown. */
  readonly touched?: readonly (readonly [first: number, count: number])[] | undefined;
  /** Whether a short initialization began at the replica site whose end is not durable there. */
  readonly initializing?: true | undefined;
}

/**
 * Why the replica may differ in unmarked regions, as a clause for people; undefined when the marks
 * are enough. At a session's later attachments the receipts tell what arrived.
 * @param isKnown whether a life is one of this folder's, as far as they are remembered
 */
export function doubtOf(split: VolumeSplit, meeting: Meeting, isKnown: (life: LifeId) => boolean): string | undefined {
  const { lineage, base, former, touched } = meeting;
  const { joinedAt } = split;
  if (joinedAt !== undefined)
    return joinedAt.id === lineage && joinedAt.base === base
      ? undefined
      : 'the replica site has other writes from before this session than it had: its folder was put back';
  if (base === 0) return undefined;
  if (former !== undefined && !isKnown(former))
    return 'the replica has writes of another life of this splitter: its folder is older, or the volume ran elsewhere';
  if (touched === undefined)
    return 'it is not known any more what the replica received after the last write that was confirmed here';
  // Only dirty and doubted regions are safe. Any other mark may be this life's, and a receipt
  // clears it.
  const { marks } = split;
  const unknown = touched.some(([first, count]) => {
    for (let region = first; region < first + count; region += 1)
      if (!marks.isDirty(region * REGION_BYTES, 1) && !marks.isDoubted(region)) return true;
    return false;
  });
  return unknown ? 'the replica has writes that this splitter does not know: its folder is older' : undefined;
}

export type Remedy =
  /** Another appliance owns the volume: its writes go there. */
  | { readonly kind: 'reroute'; readonly owner: NonNullable<Advice['owner']> }
  /** Another life used the session's number. */
  | { readonly kind: 'renumber'; readonly sessionMin: number }
  /**
   * The replica's history is not the confirmed one: a new session begins, and the volume is
   * compared.
   */
  | { readonly kind: 'startOver'; readonly lineage: Confirmed; readonly sessionMin: number };

/** What the splitter does before it attaches the volume again; undefined when it can only wait. */
export function remedyFor(split: VolumeSplit, { owner, sessionMin, lineage }: Advice): Remedy | undefined {
  if (owner !== undefined) return { kind: 'reroute', owner };
  if (lineage !== undefined) return { kind: 'startOver', lineage, sessionMin: sessionMin ?? 0 };
  if (sessionMin === undefined) return undefined;
  if (split.isNewSession) return { kind: 'renumber', sessionMin };
  // Another life took the volume over meanwhile: its writes are unknown here.
  return split.confirmed === undefined ? undefined : { kind: 'startOver', lineage: split.confirmed, sessionMin };
}
