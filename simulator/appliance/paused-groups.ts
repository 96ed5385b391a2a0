// The paused groups. Pausing is an administrator's decision, so it outlives the process.
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

  /**
   * Pauses a group; stored when it returns.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED; the group is then not paused
   */
  pause(group: GroupId, sinceMs: number): void {
    if (this.#paused.has(group)) return;
    this.#store.commit([{ table: PAUSED_TABLE, key: group, value: { sinceMs } }]);
    this.#paused.add(group);
  }

  /**
   * Resumes a group; stored when it returns.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED; the group is then still paused
   */
  resume(group: GroupId): void {
    if (!this.#paused.has(group)) return;
    this.#store.commit([{ table: PAUSED_TABLE, key: group }]);
    this.#paused.delete(group);
  }
}
