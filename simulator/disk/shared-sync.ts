// One fdatasync for everybody who asks while another is under way: a flood of flushes costs as many
// syncs as the disk can do.

export class SharedSync {
  readonly #sync: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #failure: Error | undefined;

  constructor(sync: () => Promise<void>) {
    this.#sync = sync;
  }

  /**
   * Resolves when everything written before the call is on stable storage. After a failure it fails
   * for ever: the system forgets what it could not write, so a later success would prove nothing.
   */
  async request(): Promise<void> {
    // One that has not begun yet comes late enough. Two at a time must never be: the system tells
    // only one of a failure.
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return this.#run();
    // What is under way may have begun before the last write.
    this.#next = this.#afterThis(this.#running);
    return this.#next;
  }

  async #afterThis(running: Promise<void>): Promise<void> {
    await running.catch(() => {});
    this.#next = undefined;
    return this.#run();
  }

  async #run(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#running = this.#sync();
    try {
      await this.#running;
    } catch (cause) {
      this.#failure = new Error('A sync failed: what is on stable storage is not known.', { cause });
      throw this.#failure;
    } finally {
      this.#running = undefined;
    }
  }
}
