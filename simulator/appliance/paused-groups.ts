// Which groups are paused: a decision of an administrator, so it outlives the process.
import { type GroupId, groupIdSchema } from '../../contracts/ids.js';
import type { RowStore } from '../store/row-store.js';

export const PAUSED_TABLE = 'paused';

export class PausedGroups {
  readonly #store: RowStore;
  readonly #paused: Set<GroupId>;

  constructor(store: RowStore) {
    this.#store = store;
    this.#paused = new Set([...store.rows(PAUSED_TABLE)].map(([group]) => groupIdSchema.parse(group)));
  }

  has(group: GroupId): boolean {
    return this.#paused.has(group);
  }

  get all(): GroupId[] {
    return [...this.#paused];
  }

  /** Stored when it returns. */
  pause(group: GroupId, sinceMs: number): void {
    if (this.#paused.has(group)) return;
    this.#paused.add(group);
    this.#store.commit([{ table: PAUSED_TABLE, key: group, value: { sinceMs } }]);
  }

  /** Stored when it returns. */
  resume(group: GroupId): void {
    if (this.#paused.delete(group)) this.#store.commit([{ table: PAUSED_TABLE, key: group }]);
  }
}
