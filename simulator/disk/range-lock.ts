// Keeps overlapping writes of a volume in one order: each waits for every earlier write that it
// overlaps.

interface Waiting {
  readonly offset: number;
  readonly end: number;
  /** Earlier overlapping ranges that aren't released yet. */
  blockers: number;
  readonly blocks: Waiting[];
  grant: () => void;
}

/** Locks ranges in bytes. Callers bound the entries: one for each request in flight. */
export class RangeLock {
  readonly #entries = new Set<Waiting>();

  /**
   * Whether no held or waiting range overlaps. A caller that then finishes within the same tick
   * needs no lock.
   */
  isFree(offset: number, length: number): boolean {
    if (this.#entries.size === 0) return true;
    for (const entry of this.#entries) if (overlaps(entry, offset, offset + length)) return false;
    return true;
  }

  /** Waits in call order for the range. @returns the function that releases it */
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
