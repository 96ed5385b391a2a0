// An index of a table's rows by a common property: an estate has thousands of volumes and tens of
// thousands of points.

const NONE: ReadonlyMap<string, never> = new Map<string, never>();

export class Index<Row extends object> {
  readonly #groupsOf: (row: Row) => Iterable<string>;
  readonly #groups = new Map<string, Map<string, Row>>();

  constructor(groupsOf: (row: Row) => Iterable<string>) {
    this.#groupsOf = groupsOf;
  }

  add(key: string, row: Row): void {
    for (const name of this.#groupsOf(row)) {
      const group = this.#groups.get(name);
      if (group === undefined) this.#groups.set(name, new Map([[key, row]]));
      else group.set(key, row);
    }
  }

  replace(key: string, before: Row | undefined, after: Row | undefined): void {
    if (before !== undefined) this.#remove(key, before, after);
    if (after !== undefined) this.add(key, after);
  }

  /** Removes a row from the groups that the one after it is not in. */
  #remove(key: string, before: Row, after: Row | undefined): void {
    const kept = new Set(after === undefined ? [] : this.#groupsOf(after));
    for (const name of this.#groupsOf(before)) {
      if (kept.has(name)) continue;
      const group = this.#groups.get(name);
      group?.delete(key);
      if (group?.size === 0) this.#groups.delete(name);
    }
  }

  /** Groups that have rows. */
  names(): IterableIterator<string> {
    return this.#groups.keys();
  }

  /**
   * The rows of one group by key, in the order in which they were added. Don't keep the map: it
   * changes with the table.
   */
  of(name: string): ReadonlyMap<string, Row> {
    return this.#groups.get(name) ?? NONE;
  }
}
