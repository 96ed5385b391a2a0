// Volumes that people want left out. Their moves are skipped when their turn comes.
import type { BatchItem } from '../../../contracts/batch.js';
import { BATCH_SKIPS_MAX } from '../../../contracts/batch-run.js';
import type { VolumeId } from '../../../contracts/ids.js';

export class Skips {
  readonly #volumes: Set<VolumeId>;

  constructor(volumes: readonly VolumeId[]) {
    this.#volumes = new Set(volumes);
  }

  hasRoom(): boolean {
    return this.#volumes.size < BATCH_SKIPS_MAX;
  }

  add(volume: VolumeId): void {
    this.#volumes.add(volume);
  }

  /** One volume is enough: the disks of a VM stay together. */
  covers({ volumes }: BatchItem): boolean {
    return volumes.some((volume) => this.#volumes.has(volume));
  }

  toJSON(): VolumeId[] {
    return [...this.#volumes];
  }
}
