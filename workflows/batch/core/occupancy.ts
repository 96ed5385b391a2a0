// Counts running moves by group and appliance, to tell whether one more may start.
import type { BatchItem, Concurrency } from '../../../contracts/batch.js';

type Place = Pick<BatchItem, 'from' | 'to' | 'appliances'>;

export class Occupancy {
  readonly #counts = new Map<string, number>();

  enter(place: Place): void {
    this.#change(place, 1);
  }

  leave(place: Place): void {
    this.#change(place, -1);
  }

  /** Whether one more move fits under every limit except the overall one. */
  hasRoom(place: Place, { perSourceGroup, perTargetGroup, perAppliance }: Concurrency): boolean {
    return (
      this.#count(`from ${place.from}`) < (perSourceGroup ?? Infinity) &&
      this.#count(`to ${place.to}`) < (perTargetGroup ?? Infinity) &&
      place.appliances.every((appliance) => this.#count(`at ${appliance}`) < (perAppliance ?? Infinity))
    );
  }

  #count(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  #change({ from, to, appliances }: Place, by: 1 | -1): void {
    for (const key of [`from ${from}`, `to ${to}`, ...appliances.map((appliance) => `at ${appliance}`)]) {
      const count = this.#count(key) + by;
      if (count === 0) this.#counts.delete(key);
      else this.#counts.set(key, count);
    }
  }
}
