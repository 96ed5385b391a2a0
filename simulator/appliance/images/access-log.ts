// The accesses that are open and the last that ended, kept across restarts: who looked at which point, when, and why it ended.
import type { Logger } from 'pino';
import { z } from 'zod';
import { accessSchema, type AccessId } from '../../../contracts/images.js';
import { pointIdSchema, volumeIdSchema } from '../../../contracts/ids.js';
import { bytesSchema, durationMsSchema, positionSchema, timeMsSchema } from '../../../contracts/numbers.js';
import type { RowStore } from '../../store/row-store.js';

export const ACCESSES_TABLE = 'accesses';
/** Accesses that have ended and are still shown. */
export const ENDED_ACCESSES_MAX = 200;

const storedAccessSchema = z.strictObject({
  access: accessSchema,
  /** When its time is up, a label. */
  expiresAtMs: timeMsSchema,
  /** How long it might still stay open when this was stored: what it has after a restart. Absent in rows of earlier versions. */
  leftMs: durationMsSchema.optional(),
  /** Empty once it has ended. */
  images: z.array(
    z.strictObject({
      volume: volumeIdSchema,
      point: pointIdSchema,
      client: z.string(),
      image: z.string(),
      sizeBytes: bytesSchema,
      position: positionSchema,
    }),
  ),
});
export type StoredAccess = z.infer<typeof storedAccessSchema>;

export class AccessLog {
  readonly #store: RowStore;
  /** Oldest end first. */
  readonly #ended = new Map<AccessId, StoredAccess>();
  #unended: StoredAccess[] = [];

  constructor(store: RowStore, log: Logger) {
    this.#store = store;
    const rows: StoredAccess[] = [];
    for (const [id, value] of store.rows(ACCESSES_TABLE)) {
      const parsed = storedAccessSchema.safeParse(value);
      if (parsed.success) rows.push(parsed.data);
      // A log that can't be read must not keep replication from starting.
      else log.warn({ access: id, err: parsed.error }, 'a stored image access cannot be read; it is left out');
    }
    this.#unended = rows.filter(({ access }) => access.ended === undefined);
    const ended = rows.filter(({ access }) => access.ended !== undefined);
    for (const row of ended.toSorted((a, b) => (a.access.ended?.atMs ?? 0) - (b.access.ended?.atMs ?? 0)))
      this.#ended.set(row.access.id, row);
  }

  get ended(): readonly StoredAccess[] {
    return [...this.#ended.values()];
  }

  endedOf(id: AccessId): StoredAccess | undefined {
    return this.#ended.get(id);
  }

  /** Those that an earlier process had open; once. */
  takeUnended(): readonly StoredAccess[] {
    const unended = this.#unended;
    this.#unended = [];
    return unended;
  }

  /** Stored when it returns. */
  put(row: StoredAccess): void {
    const { id, ended } = row.access;
    const changes: { table: string; key: string; value?: unknown }[] = [{ table: ACCESSES_TABLE, key: id, value: row }];
    if (ended !== undefined) {
      this.#ended.delete(id);
      this.#ended.set(id, row);
      const [oldest] = this.#ended.keys();
      if (oldest !== undefined && this.#ended.size > ENDED_ACCESSES_MAX) {
        this.#ended.delete(oldest);
        changes.push({ table: ACCESSES_TABLE, key: oldest });
      }
    }
    this.#store.commit(changes);
  }
}
