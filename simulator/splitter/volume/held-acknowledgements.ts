// The guests' acknowledgements that a cut over several splitters withholds, until it is confirmed
// or its time is over.
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

  /** Nothing when the acknowledgement may leave at once; else a promise for when it may. */
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

  /** To be called after anything that may have released a hold. */
  release(): void {
    for (const [volume, waiting] of this.#waiting) {
      if (this.#holds.isHeld(volume)) continue;
      this.#waiting.delete(volume);
      for (const acknowledge of waiting) acknowledge();
    }
    this.#arm();
  }

  /** A timer only while somebody waits. */
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
