// Where each splitter session began in the lineage: maps (session, n) to a position and back.

export interface SessionBase {
  readonly session: number;
  /** Position before the session's first record. */
  readonly base: number;
}

export class Sessions {
  readonly #bases = new Map<number, number>();
  /** All sessions, ordered by base: a session begins where the one before it ended. */
  readonly #order: SessionBase[] = [];

  constructor(entries: readonly SessionBase[] = []) {
    for (const { session, base } of entries) this.begin(session, base);
  }

  get entries(): readonly SessionBase[] {
    return this.#order;
  }

  /**
   * Begins a session after position `base`. Does nothing if it began there already, without a
   * record.
   */
  begin(session: number, base: number): void {
    if (this.#bases.get(session) === base) return;
    this.#bases.set(session, base);
    this.#order.push({ session, base });
  }

  base(session: number): number | undefined {
    return this.#bases.get(session);
  }

  /** The session and number of a position. */
  locate(position: number): { readonly session: number; readonly n: number } | undefined {
    let low = 0;
    let high = this.#order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#order[middle]?.base ?? 0) < position) low = middle + 1;
      else high = middle;
    }
    const entry = this.#order[low - 1];
    return entry === undefined ? undefined : { session: entry.session, n: position - entry.base };
  }

  /**
   * Forgets sessions without a durable record: the process ended after their begin was stored.
   * Tells whether there were any.
   */
  forgetEmpty(durablePosition: number): boolean {
    return this.#forgetFrom(durablePosition);
  }

  /**
   * Forgets sessions that begin after `position`, whose records are gone. Tells whether there were
   * any.
   */
  forgetBeyond(position: number): boolean {
    return this.#forgetFrom(position + 1);
  }

  #forgetFrom(base: number): boolean {
    const before = this.#order.length;
    for (let last = this.#order.at(-1); last !== undefined && last.base >= base; last = this.#order.at(-1)) {
      this.#order.pop();
      this.#bases.delete(last.session);
    }
    return this.#order.length < before;
  }
}
