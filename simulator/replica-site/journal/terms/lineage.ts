// Which history a journal holds: an identity that no other history has, and what it branched off
// from.
import { randomBytes } from 'node:crypto';

/** 128 bits: two lineages never get the same by chance. */
const ID_BYTES = 16;

/**
 * The lineage that another one goes on from: both have the same records up to the position, and
 * none after it.
 */
export interface LineageParent {
  readonly id: string;
  readonly position: number;
  /** Why the older lineage could not go on: a clause for people. */
  readonly reason: string;
}

/** Within one identity a position stands for one record for ever. */
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
