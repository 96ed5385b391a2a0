// An answer that counts for a moment: however often it is wanted, it is asked for no more often
// than that.

export class Remembered<Answer> {
  readonly #ask: () => Promise<Answer>;
  readonly #ageMsMax: number;
  #last: { readonly atMs: number; readonly answer: Promise<Answer> } | undefined;

  /** @param ageMsMax how long an answer counts, from when it was asked for */
  constructor(ask: () => Promise<Answer>, ageMsMax: number) {
    this.#ask = ask;
    this.#ageMsMax = ageMsMax;
  }

  /** The last answer if it is young enough, or else a new one. */
  async get(): Promise<Answer> {
    const nowMs = performance.now();
    if (this.#last === undefined || nowMs - this.#last.atMs > this.#ageMsMax)
      this.#last = { atMs: nowMs, answer: this.#ask() };
    return await this.#last.answer;
  }
}
