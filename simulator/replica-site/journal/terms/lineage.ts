// The identity of a journal's history, and the history it branched off from.
import { randomBytes } from 'node:crypto';

/** 128 bits: two lineages never share an id by chance. */
const ID_BYTES = 16;

/**
 * The lineage that another one branched off from: both have the same records up to `position`, and
 * share none after it.
 */
export interface LineageParent {
  readonly id: string;
  readonly position: number;
  /** Why the older lineage ended: a clause for people. */
  readonly reason: string;
}

/** A history in which each position stands for one record, for ever. */
export interface Lineage {
  /** 32 hexadecimal digits. */
  readonly id: string;
  /** Absent for a volume's first lineage, and when nothing of an older one is left. */
  readonly parent?: LineageParent;
}

export function newLineage(parent?: LineageParent): Lineage {
  const id = randomBytes(ID_BYTES).toString('hex');
  return parent === undefined ? { id } : { id, parent };
}
