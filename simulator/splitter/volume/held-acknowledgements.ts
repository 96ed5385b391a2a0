// The guests' acknowledgements that a cut over several splitters withholds, until the cut is
// confirmed or its hold runs out.
import type { VolumeId } from '../../../contracts/ids.js';
import { monotonicMs } from '../shared/clock.js';
import type { Holds } from '../core/holds.js';

interface Waiting {
  /** The holds it waits for: the first so many, raised before its write was done. */
  readonly upTo: number;
  readonly sinceMs: number;
  readonly acknowledge: () => void;
}

export class HeldAcknowledgements {
  readonly #holds: Holds;
  readonly #onReleased: ((heldMs: number) => void) | undefined;
  readonly #waiting = new Map<VolumeId, Waiting[]>();
  #timer: NodeJS.Timeout | undefined;

  /** @param onReleased told of each acknowledgement that was withheld, and how long. */
  constructor(holds: Holds, onReleased?: (heldMs: number) => void) {
    this.#holds = holds;
    this.#onReleased = onReleased;
  }

  /**
   * Passes an acknowledgement.
   * @returns nothing when it may leave at once, else a promise for when it may.
   */
  pass(volume: VolumeId): void | Promise<void> {
    if (!this.#holds.isHeld(volume)) return undefined;
    this.#holds.expire(monotonicMs());
    if (!this.#holds.isHeld(volume)) return undefined;
    const upTo = this.#holds.raised;
    const sinceMs = monotonicMs();
    return new Promise((acknowledge) => {
      const waiting = this.#waiting.get(volume);
      if (waiting === undefined) this.#waiting.set(volume, [{ upTo, sinceMs, acknowledge }]);
      else waiting.push({ upTo, sinceMs, acknowledge });
      this.#arm();
    });
  }

  /**
   * Lets acknowledgements go whose hold is over. Call it after anything that may release a hold.
   */
  release(): void {
    for (const [volume, waiting] of this.#waiting) {
      const still = waiting.filter(({ upTo }) => this.#holds.isHeld(volume, upTo));
      if (still.length === waiting.length) continue;
      if (still.length === 0) this.#waiting.delete(volume);
      else this.#waiting.set(volume, still);
      for (const { upTo, sinceMs, acknowledge } of waiting) {
        if (this.#holds.isHeld(volume, upTo)) continue;
        acknowledge();
        this.#onReleased?.(monotonicMs() - sinceMs);
      }
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
