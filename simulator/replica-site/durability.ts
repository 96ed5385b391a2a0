// Calls listeners when records of a volume became durable, so that a point waits for its cuts
// without polling.
import type { VolumeId } from '../../contracts/ids.js';

type Listener = (volume: VolumeId) => void;

export class Durability {
  readonly #listeners = new Map<VolumeId, Set<Listener>>();

  /**
   * Calls `listener` each time records of the volume became durable.
   * @returns a function that stops it.
   */
  listen(volume: VolumeId, listener: Listener): () => void {
    const listeners = this.#listeners.get(volume) ?? new Set();
    this.#listeners.set(volume, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(volume) === listeners) this.#listeners.delete(volume);
    };
  }

  durable(volume: VolumeId): void {
    const listeners = this.#listeners.get(volume);
    if (listeners !== undefined) for (const listener of listeners) listener(volume);
  }
}
