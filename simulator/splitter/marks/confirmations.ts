// The position up to which each volume's replica is durable, stored before marks that rest on it
// are cleared. At the next attach it shows whether the replica site has less, or another history.
import type { VolumeId } from '../../../contracts/ids.js';
import { confirmedSchema, type Confirmed } from '../../../contracts/lineage.js';
import type { RowStore } from '../../store/row-store.js';

export const CONFIRMED_TABLE = 'confirmed';

export class Confirmations {
  readonly #store: RowStore;
  readonly #stored = new Map<string, Confirmed>();

  /** Reads the stored positions. An unreadable row counts as none: the volume is then compared. */
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
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED: no mark may be cleared then
   */
  put(confirmations: Iterable<readonly [VolumeId, Confirmed]>): void {
    const changed = [...confirmations].filter(([volume, confirmed]) => !isSame(this.#stored.get(volume), confirmed));
    this.#store.commit(changed.map(([volume, value]) => ({ table: CONFIRMED_TABLE, key: volume, value })));
    for (const [volume, confirmed] of changed) this.#stored.set(volume, confirmed);
  }

  /** Call it once the volume's row is deleted from the store. */
  forgotten(volume: VolumeId): void {
    this.#stored.delete(volume);
  }
}

function isSame(one: Confirmed | undefined, other: Confirmed): boolean {
  return one?.lineage === other.lineage && one.position === other.position && one.life === other.life;
}
