// A stack of started things, to be stopped in reverse order.

type Stop = () => Promise<void> | void;

export class Cleanup {
  readonly #stops: Stop[] = [];

  add(stop: Stop): void {
    this.#stops.push(stop);
  }

  /**
   * Stops everything once. A failed stop does not prevent the others.
   * @throws Error the first failure to stop something
   */
  readonly run = async (): Promise<void> => {
    const troubles: unknown[] = [];
    for (let stop = this.#stops.pop(); stop !== undefined; stop = this.#stops.pop()) {
      try {
        await stop();
      } catch (error) {
        troubles.push(error);
      }
    }
    if (troubles.length > 0) throw troubles[0];
  };

  /**
   * Stops everything after a failure. Errors of stopping are dropped: the first failure says more.
   */
  async afterFailure(): Promise<void> {
    await this.run().catch(() => undefined);
  }
}
