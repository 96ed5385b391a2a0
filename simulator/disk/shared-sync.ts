// Shares one fdatasync among all requests made while another is running: a flood of flushes costs
// only as many syncs as the disk can do.

export class SharedSync {
  readonly #sync: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #failure: Error | undefined;

  constructor(sync: () => Promise<void>) {
    this.#sync = sync;
  }

  /**
   * Resolves once everything written before the call is on stable storage. After one failure every
   * call fails: the system forgets what it could not write, so a later success proves nothing.
   */
  async request(): Promise<void> {
    // A sync that hasn't started yet covers this request. Two must never run at once: the system
    // reports a failure to only one of them.
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return this.#run();
    // The running sync may have started before the last write.
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
