// The accesses that are open and the last that ended, kept across restarts: who looked at which
// point, when, and why it ended.
import type { Logger } from 'pino';
import { z } from 'zod';
import { MoverError } from '../../../contracts/errors.js';
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
  /**
   * How long it might still stay open when this was stored: what it has after a restart. Absent in
   * rows of earlier versions.
   */
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
  /** What the store could not take yet, by id: the newest row; undefined for one to be deleted. */
  readonly #unstored = new Map<AccessId, StoredAccess | undefined>();
  #failure: MoverError | undefined;

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

  /** A new access: stored when it returns. @throws MoverError STORAGE_FULL, STORAGE_FAILED */
  begin(row: StoredAccess): void {
    this.#store.commit([{ table: ACCESSES_TABLE, key: row.access.id, value: row }]);
  }

  /**
   * What has happened to an access has happened, stored or not: what can't be stored now is stored
   * by `storeAgain`.
   */
  put(row: StoredAccess): void {
    const { id, ended } = row.access;
    this.#unstored.set(id, row);
    if (ended !== undefined) {
      this.#ended.delete(id);
      this.#ended.set(id, row);
      const [oldest] = this.#ended.keys();
      if (oldest !== undefined && this.#ended.size > ENDED_ACCESSES_MAX) {
        this.#ended.delete(oldest);
        this.#unstored.set(oldest, undefined);
      }
    }
    this.storeAgain();
  }

  /** Never throws for a disk that is full or fails. */
  storeAgain(): void {
    if (this.#unstored.size === 0) return;
    try {
      this.#store.commit(
        [...this.#unstored].map(([key, value]) => ({
          table: ACCESSES_TABLE,
          key,
          ...(value === undefined ? {} : { value }),
        })),
      );
      this.#unstored.clear();
      this.#failure = undefined;
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      this.#failure = error;
    }
  }

  /** What is wrong, in a sentence; nothing while all is stored. */
  get note(): string | undefined {
    return this.#failure === undefined
      ? undefined
      : `What became of ${this.#unstored.size} image accesses is not stored: ${this.#failure.message} After a restart they would be shown as they were before; no data is concerned. It is tried again by itself.`;
  }
}
