// A guest's log of its writes: when each was issued and acknowledged, on one clock that orders
// them.

/** Most writes that one log keeps: about 250 MB of memory. */
const WRITES_MAX = 10_000_000;
/** Acknowledgement time of a write without one. */
const NEVER = Number.POSITIVE_INFINITY;

export interface LoggedWrite {
  readonly sequence: number;
  readonly block: number;
  /** Ticks of the log's own clock, which advances with every issue and every acknowledgement. */
  readonly issuedAt: number;
  /** Infinity until acknowledged. */
  readonly acknowledgedAt: number;
}

export class WriteLog {
  readonly #blocks: number[] = [];
  readonly #issuedAt: number[] = [];
  readonly #acknowledgedAt: number[] = [];
  #tick = 0;
  #acknowledged = 0;

  /** Writes issued so far, which is also the newest sequence number. */
  get issued(): number {
    return this.#blocks.length;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /**
   * Logs a write before it is sent, and numbers it: 1, 2, 3 …
   * @throws Error when the log is full
   */
  issue(block: number): number {
    if (this.#blocks.length === WRITES_MAX) throw new Error(`A guest's log keeps ${WRITES_MAX} writes at most.`);
    this.#tick += 1;
    this.#blocks.push(block);
    this.#issuedAt.push(this.#tick);
    this.#acknowledgedAt.push(NEVER);
    return this.#blocks.length;
  }

  acknowledge(sequence: number): void {
    this.#tick += 1;
    this.#acknowledgedAt[sequence - 1] = this.#tick;
    this.#acknowledged += 1;
  }

  /** The write with this number; undefined when there is none. */
  get(sequence: number): LoggedWrite | undefined {
    const block = this.#blocks[sequence - 1];
    const issuedAt = this.#issuedAt[sequence - 1];
    if (block === undefined || issuedAt === undefined) return undefined;
    return { sequence, block, issuedAt, acknowledgedAt: this.#acknowledgedAt[sequence - 1] ?? NEVER };
  }

  /** The newest write of each block that was acknowledged before the tick, keyed by block. */
  newestBefore(tick: number): Map<number, number> {
    const newest = new Map<number, number>();
    for (let sequence = 1; sequence <= this.#blocks.length; sequence += 1) {
      const block = this.#blocks[sequence - 1];
      if (block !== undefined && (this.#acknowledgedAt[sequence - 1] ?? NEVER) < tick) newest.set(block, sequence);
    }
    return newest;
  }
}
