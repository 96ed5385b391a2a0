// Bounds the bytes a second that pass. Times are milliseconds of any clock that does not go back.

/**
 * How much may pass at once after a pause, as a part of a second's bytes: a link has no memory of
 * what it could have carried.
 */
const BURST_PART = 0.05;
const SECOND_MS = 1_000;

export class TokenBucket {
  readonly #bytesPerSecond: number;
  readonly #burstBytes: number;
  /**
   * Below zero after a frame larger than what was there: the debt is paid off before anything else
   * passes.
   */
  #bytes: number;
  #atMs: number;

  constructor(bytesPerSecond: number, nowMs: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#burstBytes = bytesPerSecond * BURST_PART;
    this.#bytes = this.#burstBytes;
    this.#atMs = nowMs;
  }

  /** Something passed. */
  spend(bytes: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#bytes -= bytes;
  }

  /** Milliseconds until something may pass again; 0 if it may now. */
  waitMs(nowMs: number): number {
    this.#refill(nowMs);
    return this.#bytes >= 0 ? 0 : Math.ceil((-this.#bytes / this.#bytesPerSecond) * SECOND_MS);
  }

  #refill(nowMs: number): void {
    const gained = ((nowMs - this.#atMs) / SECOND_MS) * this.#bytesPerSecond;
    this.#bytes = Math.min(this.#burstBytes, this.#bytes + Math.max(0, gained));
    this.#atMs = Math.max(this.#atMs, nowMs);
  }
}
