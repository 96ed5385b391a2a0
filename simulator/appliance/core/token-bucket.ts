// Limits the bytes a second that pass. Times are milliseconds of a clock that doesn't go back.

/**
 * Largest burst after a pause, as a part of a second's bytes: a link can't catch up on idle time.
 */
const BURST_PART = 0.05;
const SECOND_MS = 1_000;

export class TokenBucket {
  readonly #bytesPerSecond: number;
  readonly #burstBytes: number;
  /**
   * Bytes that may pass now. Negative after a frame larger than the rest: the debt is paid off
   * before anything else passes.
   */
  #bytes: number;
  #atMs: number;

  constructor(bytesPerSecond: number, nowMs: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#burstBytes = bytesPerSecond * BURST_PART;
    this.#bytes = this.#burstBytes;
    this.#atMs = nowMs;
  }

  /** Counts bytes that passed. */
  spend(bytes: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#bytes -= bytes;
  }

  /** Milliseconds until something may pass; 0 if it may now. */
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
