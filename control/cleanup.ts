// What was started so far, stopped in reverse order.

type Stop = () => Promise<void> | void;

export class Cleanup {
  readonly #stops: Stop[] = [];

  add(stop: Stop): void {
    this.#stops.push(stop);
  }

  /**
   * Stops everything, each once; what can't be stopped keeps none of the rest.
   * @throws Error the first that could not be stopped
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
   * Stops everything after a failure: why something failed says more than what could not be
   * stopped.
   */
  async afterFailure(): Promise<void> {
    await this.run().catch(() => undefined);
  }
}
