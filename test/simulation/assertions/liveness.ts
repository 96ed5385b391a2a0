// A fence without a verdict is not left alone: its splitter asks, and gets an answer soon.
import type { VolumeId } from '../../../contracts/ids.js';
import type { World } from '../world.js';

/**
 * Longest time between the end of a lease and the verdict, in ms, while all processes are up: some
 * tries may be lost.
 */
const ASKED_WITHIN_MS = 2_000;

export class FenceWatch {
  readonly #lapsedSince = new Map<VolumeId, { readonly ticket: number; readonly sinceMs: number }>();

  /** Looks at every fence of a world whose processes don't fail. */
  look(world: World): void {
    for (const volume of world.volumes) {
      const fence = world.hostOf(volume).core?.volume(volume).row.fence;
      const known = this.#lapsedSince.get(volume);
      if (fence?.lapsed !== true) this.#lapsedSince.delete(volume);
      else if (known?.ticket !== fence.attempt.ticket)
        this.#lapsedSince.set(volume, { ticket: fence.attempt.ticket, sinceMs: world.time.nowMs });
      else if (world.time.nowMs - known.sinceMs > ASKED_WITHIN_MS)
        throw new Error(`the fence of ${volume} lapsed ${world.time.nowMs - known.sinceMs} ms ago, and still stands`);
    }
  }
}
