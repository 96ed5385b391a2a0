// A keyed table that remembers changes, so that the shell can make one transaction of a call, or
// undo it.
import { MoverError } from '../../../contracts/errors.js';
import { Index } from './index-of-table.js';
import { KeyOrder } from './key-order.js';

export interface RowChange {
  readonly table: string;
  readonly key: string;
  /** The row; absent if it was deleted. */
  readonly value?: unknown;
}

export class Table<Row extends object> {
  readonly name: string;
  #rows = new Map<string, Row>();
  /** Rows before the unsettled changes, by key; undefined if the row is new. */
  readonly #before = new Map<string, Row | undefined>();
  readonly #indexes: Index<Row>[] = [];
  #order: KeyOrder | undefined;

  /**
   * Keys of stored rows that can't be read, with a sentence each. They count neither as present nor
   * as missing, and are never overwritten.
   */
  readonly unreadable: ReadonlyMap<string, string>;

  /** Makes a table of stored rows; they don't count as changes. */
  constructor(
    name: string,
    rows: Iterable<readonly [string, Row]>,
    unreadable: ReadonlyMap<string, string> = new Map(),
  ) {
    this.name = name;
    this.unreadable = unreadable;
    for (const [key, row] of rows) this.#rows.set(key, row);
  }

  /** Indexes the rows by `groupsOf` from now on, so that a look-up needs no walk over the table. */
  indexBy(groupsOf: (row: Row) => Iterable<string>): Index<Row> {
    const index = new Index(groupsOf);
    for (const [key, row] of this.#rows) index.add(key, row);
    this.#indexes.push(index);
    return index;
  }

  /** Keeps the keys sorted from now on, for `after`. */
  keepOrder(): void {
    this.#order ??= new KeyOrder(this.#rows.keys());
  }

  /**
   * Rows with keys after the given one, in the order of their keys.
   * @throws Error unless the table keeps that order
   */
  *after(key?: string): Generator<Row, void> {
    if (this.#order === undefined) throw new Error(`Table "${this.name}" does not keep the order of its keys.`);
    for (const next of this.#order.after(key)) {
      const row = this.#rows.get(next);
      if (row !== undefined) yield row;
    }
  }

  get(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  /** @throws MoverError CORRUPT if the key's row can't be read */
  refuseUnreadable(key: string): void {
    const sentence = this.unreadable.get(key);
    if (sentence !== undefined) throw new MoverError('CORRUPT', sentence);
  }

  /**
   * Adds or replaces a row. Rows are values: never change one in place.
   * @throws MoverError CORRUPT
   */
  put(key: string, row: Row): Row {
    this.refuseUnreadable(key);
    const before = this.#rows.get(key);
    this.#rows.set(key, row);
    if (before === undefined) this.#order?.add(key);
    for (const index of this.#indexes) index.replace(key, before, row);
    this.#remember(key, before);
    return row;
  }

  delete(key: string): void {
    const before = this.#rows.get(key);
    if (before === undefined) return;
    this.#rows.delete(key);
    this.#order?.remove(key);
    for (const index of this.#indexes) index.replace(key, before, undefined);
    this.#remember(key, before);
  }

  #remember(key: string, before: Row | undefined): void {
    if (!this.#before.has(key)) this.#before.set(key, before);
  }

  values(): IterableIterator<Row> {
    return this.#rows.values();
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Whether any row changed since the last `settle` or `undo`. */
  get isChanged(): boolean {
    return this.#before.size > 0;
  }

  /** Every key changed since the last `settle` or `undo`, with its value now. */
  changes(): RowChange[] {
    return [...this.#before.keys()].map((key): RowChange => {
      const value = this.#rows.get(key);
      return value === undefined ? { table: this.name, key } : { table: this.name, key, value };
    });
  }

  /** Makes the changes final, once they are stored. */
  settle(): void {
    // To clear an empty map is not free, and most calls change nothing in most tables.
    if (this.isChanged) this.#before.clear();
  }

  /**
   * Takes the changes back, when they could not be stored. If deleted rows come back, it sorts the
   * whole table.
   */
  undo(): void {
    let returned = false;
    for (const [key, before] of this.#before) {
      if (before === undefined) this.delete(key);
      else {
        returned ||= !this.#rows.has(key);
        this.put(key, before);
      }
    }
    this.#before.clear();
    if (returned) this.#restoreOrder();
  }

  /** Sorts the rows by key, as they are when read from the store. */
  #restoreOrder(): void {
    const rows = [...this.#rows].toSorted(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, row] of rows) for (const index of this.#indexes) index.replace(key, row, undefined);
    for (const [key, row] of rows) for (const index of this.#indexes) index.add(key, row);
    this.#rows = new Map(rows);
  }
}
