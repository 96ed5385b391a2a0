// How far each volume's replica is known to be durable, stored before the marks that rest on it are
// cleared: at the next attachment a replica site that has less, or another history, is found out.
import type { VolumeId } from '../../../contracts/ids.js';
import { confirmedSchema, type Confirmed } from '../../../contracts/lineage.js';
import type { RowStore } from '../../store/row-store.js';

export const CONFIRMED_TABLE = 'confirmed';

export class Confirmations {
  readonly #store: RowStore;
  readonly #stored = new Map<string, Confirmed>();

  /** A row that can't be read counts as none: the volume is compared then. */
  constructor(store: RowStore) {
    this.#store = store;
    for (const [volume, row] of store.rows(CONFIRMED_TABLE)) {
      const confirmed = confirmedSchema.safeParse(row);
      if (confirmed.success) this.#stored.set(volume, confirmed.data);
    }
  }

  of(volume: VolumeId): Confirmed | undefined {
    return this.#stored.get(volume);
  }

  /**
   * Stores what changed, in one transaction.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED: then no mark may be cleared
   */
  put(confirmations: Iterable<readonly [VolumeId, Confirmed]>): void {
    const changed = [...confirmations].filter(([volume, confirmed]) => !isSame(this.#stored.get(volume), confirmed));
    this.#store.commit(changed.map(([volume, value]) => ({ table: CONFIRMED_TABLE, key: volume, value })));
    for (const [volume, confirmed] of changed) this.#stored.set(volume, confirmed);
  }
}

function isSame(one: Confirmed | undefined, other: Confirmed): boolean {
  return one?.lineage === other.lineage && one.position === other.position;
}
