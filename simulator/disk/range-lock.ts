// Keeps overlapping writes of a volume in one order: who comes later waits for every earlier one
// that it overlaps.

interface Waiting {
  readonly offset: number;
  readonly end: number;
  /** Earlier ranges that overlap and aren't released yet. */
  blockers: number;
  readonly blocks: Waiting[];
  grant: () => void;
}

/** Ranges in bytes. Bounded by its callers: there are as many entries as requests under way. */
export class RangeLock {
  readonly #entries = new Set<Waiting>();

  /**
   * Whether nothing that overlaps is held or waited for: who finishes within the same tick needs no
   * lock then.
   */
  isFree(offset: number, length: number): boolean {
    if (this.#entries.size === 0) return true;
    for (const entry of this.#entries) if (overlaps(entry, offset, offset + length)) return false;
    return true;
  }

  /** Resolves, in the order of the calls, to the function that releases the range. */
  async acquire(offset: number, length: number): Promise<() => void> {
    const own: Waiting = { offset, end: offset + length, blockers: 0, blocks: [], grant: () => {} };
    for (const entry of this.#entries) {
      if (!overlaps(entry, own.offset, own.end)) continue;
      entry.blocks.push(own);
      own.blockers += 1;
    }
    this.#entries.add(own);
    if (own.blockers > 0) {
      await new Promise<void>((resolve) => {
        own.grant = resolve;
      });
    }
    return () => this.#release(own);
  }

  #release(entry: Waiting): void {
    this.#entries.delete(entry);
    for (const blocked of entry.blocks) {
      blocked.blockers -= 1;
      if (blocked.blockers === 0) blocked.grant();
    }
  }
}

function overlaps(entry: Waiting, offset: number, end: number): boolean {
  return entry.offset < end && offset < entry.end;
}
