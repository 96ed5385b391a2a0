// Fixed identities, where a test has one disk, one life and one history.
import type { GroupId } from '../../contracts/ids.js';
import { groupIdSchema } from '../../contracts/ids.js';
import { lifeIdSchema, lineageIdSchema, sourceIdSchema } from '../../contracts/lineage.js';
import type { Claim } from '../../simulator/replica-site/core/attach.js';

export const LIFE = lifeIdSchema.parse('1'.repeat(32));
export const SOURCE = sourceIdSchema.parse('2'.repeat(32));
export const LINEAGE = lineageIdSchema.parse('3'.repeat(32));

/** The life of a session: another one each. */
export function lifeOf(session: number): typeof LIFE {
  return lifeIdSchema.parse(session.toString(16).padStart(32, '0'));
}

/** What a splitter says that knows the replica's history. */
export function claimOf(
  claim: Pick<Claim, 'session' | 'epoch' | 'sizeBytes'> & Partial<Claim>,
  group: GroupId = groupIdSchema.parse('g1'),
): Claim {
  return {
    life: lifeOf(claim.session),
    group,
    source: SOURCE,
    replaces: false,
    confirmed: { lineage: LINEAGE, position: 0 },
    ticket: 0,
    ...claim,
  };
}
