// The memory that all connections of a server share: payloads that are arriving or with a device,
// and answers that clients haven't read.
//
// Each connection has a small part of its own, so a client of small requests never waits for
// another. Of the rest it may take half of what the others leave (dynamic thresholds: Choudhury and
// Hahne, IEEE/ACM Transactions on Networking 6(2), 1998). A request that needs more waits in line
// for the turn, which lets one connection at a time exceed that. While somebody waits, a connection
// that holds more than its own part, and whose client is slow, is cut.

export interface MemoryLimits {
  /** Bytes that each connection may hold whatever the others hold. */
  readonly ownBytesMax: number;
  /** Bytes that all connections share beyond their own parts. The turn may exceed it. */
  readonly sharedBytesMax: number;
  /** How long a client may be slow while others wait, in milliseconds. */
  readonly slowMsMax: number;
}

/** Least bytes a second that a client sends or reads, or it counts as slow while others wait. */
const SLOW_BYTES_PER_S = 256 * 1024;

/** Share of `slowMsMax` that a client gets while its connection has the turn: others wait. */
const TURN_PATIENCE = 1 / 2;
/** How often slow clients are looked for, within the time that they may be slow. */
const CHECKS_PER_LIMIT = 4;

/** A connection, as the memory's owner sees it. */
export interface MemoryUser {
  /**
   * Time from which on the client has owed the rest of a payload, or has not read all answers; by
   * the monotonic clock, in milliseconds. Undefined while it owes nothing, or may not send.
   */
  readonly awaitsClientSinceMs: number | undefined;
  /** Bytes exchanged with the client so far. */
  readonly movedBytes: number;
  /** There may be room again for what was refused. */
  roomAgain(): void;
  /** Ends the connection: its client is slow, and others wait for its memory. */
  cut(): void;
}

export class ServerMemory {
  readonly #limits: MemoryLimits;
  readonly #shares = new Set<MemoryShare>();
  /** Shares that were refused, the first in line first. */
  readonly #waiting = new Set<MemoryShare>();
  #sharedBytes = 0;
  #turn: MemoryShare | undefined;
  #checkTimer: NodeJS.Timeout | undefined;
  #checkedAtMs = 0;

  constructor(limits: MemoryLimits) {
    this.#limits = limits;
  }

  /** Bytes held beyond the connections' own parts. */
  get sharedBytes(): number {
    return this.#sharedBytes;
  }

  /** Makes a connection's share. Close it at the end. */
  open(user: MemoryUser): MemoryShare {
    const share = new MemoryShare(this, user);
    this.#shares.add(share);
    return share;
  }

  /** @internal */
  mayHold(share: MemoryShare, bytes: number): boolean {
    const wanted = this.#beyondOwn(bytes);
    if (wanted === 0 || share === this.#turn || bytes <= share.heldBytes) return true;
    const others = this.#sharedBytes - this.#beyondOwn(share.heldBytes);
    return wanted <= (this.#limits.sharedBytesMax - others) / 2;
  }

  /** @internal */
  changed(share: MemoryShare, before: number): void {
    this.#sharedBytes += this.#beyondOwn(share.heldBytes) - this.#beyondOwn(before);
    if (share.heldBytes < before) this.#wake();
  }

  /** @internal */
  wait(share: MemoryShare): void {
    this.#waiting.add(share);
    if (this.#checkTimer === undefined) {
      this.#checkTimer = setInterval(() => this.#cutSlow(), this.#checkIntervalMs).unref();
      this.#checkedAtMs = performance.now();
      for (const each of this.#shares) each.watch();
    }
    this.#wake();
  }

  /** @internal */
  endTurn(share: MemoryShare): void {
    if (this.#turn !== share) return;
    this.#turn = undefined;
    this.#wake();
  }

  /** @internal */
  closed(share: MemoryShare): void {
    this.#shares.delete(share);
    this.#waiting.delete(share);
    this.endTurn(share);
    this.#wake();
  }

  /** Lets those in line go on for whom there is room, and gives the turn if nobody has it. */
  #wake(): void {
    if (this.#checkTimer === undefined) return;
    for (const share of this.#waiting) {
      if (!this.mayHold(share, share.wantedBytes)) continue;
      this.#waiting.delete(share);
      share.user.roomAgain();
    }
    // What the last turn took beyond the limit must be back first.
    if (this.#turn === undefined && this.#sharedBytes <= this.#limits.sharedBytesMax) {
      const [first] = this.#waiting;
      if (first !== undefined) {
        this.#turn = first;
        this.#waiting.delete(first);
        first.watch();
        first.user.roomAgain();
      }
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#checkTimer);
    this.#checkTimer = undefined;
  }

  /** Cuts the slow clients, as somebody waits for memory. */
  #cutSlow(): void {
    const nowMs = performance.now();
    const late = nowMs - this.#checkedAtMs > 2 * this.#checkIntervalMs;
    this.#checkedAtMs = nowMs;
    for (const share of this.#shares) {
      // This process was the slow one: no client is to blame for the time.
      if (late) share.watch();
      const hasTurn = share === this.#turn;
      const forMs = hasTurn ? this.#limits.slowMsMax * TURN_PATIENCE : this.#limits.slowMsMax;
      const watchedMs = nowMs - share.watchedSinceMs;
      if (watchedMs < forMs) continue;
      const { awaitsClientSinceMs = Number.POSITIVE_INFINITY } = share.user;
      const isIdle = (share.movedSinceWatched / watchedMs) * 1_000 < SLOW_BYTES_PER_S;
      const isSlow = isIdle && nowMs - awaitsClientSinceMs >= forMs;
      if (isSlow && (hasTurn || this.#beyondOwn(share.heldBytes) > 0)) share.user.cut();
      share.watch();
    }
  }

  get #checkIntervalMs(): number {
    return this.#limits.slowMsMax / CHECKS_PER_LIMIT;
  }

  #beyondOwn(bytes: number): number {
    return Math.max(0, bytes - this.#limits.ownBytesMax);
  }
}

/** What one connection holds of the memory. */
export class MemoryShare {
  readonly user: MemoryUser;
  readonly #memory: ServerMemory;
  #heldBytes = 0;
  #wantedBytes = 0;
  #isClosed = false;
  #watchedSinceMs = performance.now();
  #movedBefore = 0;

  constructor(memory: ServerMemory, user: MemoryUser) {
    this.#memory = memory;
    this.user = user;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** What the connection would hold with what was refused last. */
  get wantedBytes(): number {
    return this.#wantedBytes;
  }

  /** Notes what the connection holds now. */
  hold(bytes: number): void {
    if (bytes === this.#heldBytes || this.#isClosed) return;
    const before = this.#heldBytes;
    this.#heldBytes = bytes;
    this.#memory.changed(this, before);
  }

  /** Whether the connection may hold this much. If not, `roomAgain` is called when it may. */
  mayHold(bytes: number): boolean {
    if (this.#memory.mayHold(this, bytes)) return true;
    this.#wantedBytes = bytes;
    this.#memory.wait(this);
    return false;
  }

  /** The request that the turn was for has been taken. */
  endTurn(): void {
    this.#memory.endTurn(this);
  }

  /** Begins to measure how fast the client is. */
  watch(): void {
    this.#watchedSinceMs = performance.now();
    this.#movedBefore = this.user.movedBytes;
  }

  /** Time of `watch`, by the monotonic clock, in milliseconds. */
  get watchedSinceMs(): number {
    return this.#watchedSinceMs;
  }

  get movedSinceWatched(): number {
    return this.user.movedBytes - this.#movedBefore;
  }

  close(): void {
    if (this.#isClosed) return;
    this.hold(0);
    this.#isClosed = true;
    this.#memory.closed(this);
  }
}
