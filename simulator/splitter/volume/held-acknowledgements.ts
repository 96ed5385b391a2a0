// The guests' acknowledgements that a cut over several splitters withholds, until the cut is
// confirmed or its hold runs out.
import type { VolumeId } from '../../../contracts/ids.js';
import { monotonicMs } from '../shared/clock.js';
import type { Holds } from '../core/holds.js';

export class HeldAcknowledgements {
  readonly #holds: Holds;
  readonly #waiting = new Map<VolumeId, (() => void)[]>();
  #timer: NodeJS.Timeout | undefined;

  constructor(holds: Holds) {
    this.#holds = holds;
  }

  /**
   * Passes an acknowledgement.
   * @returns nothing when it may leave at once, else a promise for when it may.
   */
  pass(volume: VolumeId): void | Promise<void> {
    if (!this.#holds.isHeld(volume)) return undefined;
    this.#holds.expire(monotonicMs());
    if (!this.#holds.isHeld(volume)) return undefined;
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(volume);
      if (waiting === undefined) this.#waiting.set(volume, [resolve]);
      else waiting.push(resolve);
      this.#arm();
    });
  }

  /**
   * Lets acknowledgements go whose hold is over. Call it after anything that may release a hold.
   */
  release(): void {
    for (const [volume, waiting] of this.#waiting) {
      if (this.#holds.isHeld(volume)) continue;
      this.#waiting.delete(volume);
      for (const acknowledge of waiting) acknowledge();
    }
    this.#arm();
  }

  /** Sets a timer for the next hold's end, if an acknowledgement waits. */
  #arm(): void {
    clearTimeout(this.#timer);
    const expiryMs = this.#holds.nextExpiryMs;
    if (expiryMs === undefined || this.#waiting.size === 0) return;
    this.#timer = setTimeout(
      () => {
        this.#holds.expire(monotonicMs());
        this.release();
      },
      Math.max(0, expiryMs - monotonicMs()),
    );
  }
}
