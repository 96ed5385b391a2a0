// The open accesses and the last ended ones, kept across restarts: who opened which point, when,
// and why the access ended.
import type { Logger } from 'pino';
import { z } from 'zod';
import { MoverError } from '../../../contracts/errors.js';
import { accessSchema, type AccessId } from '../../../contracts/images.js';
import { pointIdSchema, volumeIdSchema } from '../../../contracts/ids.js';
import { bytesSchema, durationMsSchema, positionSchema, timeMsSchema } from '../../../contracts/numbers.js';
import type { RowStore } from '../../store/row-store.js';

export const ACCESSES_TABLE = 'accesses';
/** Most ended accesses that are still shown. */
export const ENDED_ACCESSES_MAX = 200;

const storedAccessSchema = z.strictObject({
  access: accessSchema,
  /** When the access expires: a label, as the wall clock may be set. */
  expiresAtMs: timeMsSchema,
  /**
   * Time the access had left when this was stored, which is what it has after a restart. Absent in
   * rows of earlier versions.
   */
  leftMs: durationMsSchema.optional(),
  /** Empty once the access has ended. */
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
  /** Ended accesses, oldest end first. */
  readonly #ended = new Map<AccessId, StoredAccess>();
  #unended: StoredAccess[] = [];
  /** Rows that the store couldn't take yet, newest state by id; undefined for a row to delete. */
  readonly #unstored = new Map<AccessId, StoredAccess | undefined>();
  #failure: MoverError | undefined;

  constructor(store: RowStore, log: Logger) {
    this.#store = store;
    const rows: StoredAccess[] = [];
    for (const [id, value] of store.rows(ACCESSES_TABLE)) {
      const parsed = storedAccessSchema.safeParse(value);
      if (parsed.success) rows.push(parsed.data);
      // An unreadable row must not keep replication from starting.
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

  /** The accesses that an earlier process left open. Returns them once. */
  takeUnended(): readonly StoredAccess[] {
    const unended = this.#unended;
    this.#unended = [];
    return unended;
  }

  /** Stores a new access before it returns. @throws MoverError STORAGE_FULL, STORAGE_FAILED */
  begin(row: StoredAccess): void {
    this.#store.commit([{ table: ACCESSES_TABLE, key: row.access.id, value: row }]);
  }

  /** Takes an access's new state. `storeAgain` retries a state that can't be stored now. */
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

  /** Stores what is still unstored. Doesn't throw when the disk is full or fails. */
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

  /** What is wrong, in a sentence; undefined while everything is stored. */
  get note(): string | undefined {
    return this.#failure === undefined
      ? undefined
      : `The latest state of ${this.#unstored.size} image ${this.#unstored.size === 1 ? 'access' : 'accesses'} is not stored: ${this.#failure.message} A restart would show their earlier state; no data is affected. The appliance tries again by itself.`;
  }
}
