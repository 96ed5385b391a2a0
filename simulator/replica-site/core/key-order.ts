// The sorted keys of a table: a page of a long listing needs no sort of everything.

export class KeyOrder {
  #sorted: string[];
  /** Keys added since the last listing, in any order: a start adds thousands, one by one. */
  readonly #added = new Set<string>();
  readonly #removed = new Set<string>();

  constructor(keys: Iterable<string>) {
    this.#sorted = [...keys].toSorted(compare);
  }

  add(key: string): void {
    if (!this.#removed.delete(key)) this.#added.add(key);
  }

  remove(key: string): void {
    if (!this.#added.delete(key)) this.#removed.add(key);
  }

  /**
   * The keys after `after` (all keys without it), in order. Use them at once: the table may change.
   */
  *after(after?: string): Generator<string, void> {
    this.#settle();
    const sorted = this.#sorted;
    for (let i = after === undefined ? 0 : firstAfter(sorted, after); i < sorted.length; i += 1) {
      const key = sorted[i];
      if (key !== undefined) yield key;
    }
  }

  #settle(): void {
    if (this.#added.size === 0 && this.#removed.size === 0) return;
    const stayed = this.#removed.size === 0 ? this.#sorted : this.#sorted.filter((key) => !this.#removed.has(key));
    // The engine's sort is fast here: the keys are nearly sorted.
    this.#sorted = [...stayed, ...[...this.#added].toSorted(compare)].toSorted(compare);
    this.#added.clear();
    this.#removed.clear();
  }
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function firstAfter(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? '') > key) high = middle;
    else low = middle + 1;
  }
  return low;
}
