// Identities of one world: all differ, whatever is put back, and a seed gives the same ones again.
import {
  lifeIdSchema,
  lineageIdSchema,
  sourceIdSchema,
  type LifeId,
  type LineageId,
  type SourceId,
} from '../../contracts/lineage.js';

export class Identities {
  #made = 0;

  lineage(): LineageId {
    return lineageIdSchema.parse(this.#next());
  }

  life(): LifeId {
    return lifeIdSchema.parse(this.#next());
  }

  source(): SourceId {
    return sourceIdSchema.parse(this.#next());
  }

  #next(): string {
    this.#made += 1;
    return this.#made.toString(16).padStart(32, '0');
  }
}
