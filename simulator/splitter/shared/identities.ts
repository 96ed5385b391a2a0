// Random identities of disks and of lives of this process: 128 bits, so that no two are equal by
// chance.
import { randomBytes } from 'node:crypto';
import { lifeIdSchema, sourceIdSchema, type LifeId, type SourceId } from '../../../contracts/lineage.js';

const IDENTITY_BYTES = 16;

export function newSourceId(): SourceId {
  return sourceIdSchema.parse(identity());
}

export function newLifeId(): LifeId {
  return lifeIdSchema.parse(identity());
}

function identity(): string {
  return randomBytes(IDENTITY_BYTES).toString('hex');
}
