// The content of simulated writes.

/** Tokens of one buffer. */
const TOKENS_PER_BUFFER = 16_384;

/**
 * Makes the content of writes: each block holds the number of its write, its token. Many writes
 * share a buffer, because a buffer of its own costs more than all else that a small write does.
 */
export class Tokens {
  #buffer = new Uint32Array(TOKENS_PER_BUFFER);
  #used = 0;

  /** The content of a write of some blocks. */
  take(count: number, token: number): Uint32Array {
    if (this.#used + count > this.#buffer.length) {
      this.#buffer = new Uint32Array(TOKENS_PER_BUFFER);
      this.#used = 0;
    }
    const tokens = this.#buffer.subarray(this.#used, this.#used + count).fill(token);
    this.#used += count;
    return tokens;
  }
}
