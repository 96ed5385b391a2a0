// Sends marked regions again, volume by volume, a region at a time, whenever a volume's situation lets it.
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import type { Comparisons } from './comparisons.js';
import type { ProtectedVolume } from './protected-volume.js';

/** Volumes that read their source at the same time: guests' requests share the disk and the thread pool. */
const VOLUMES_AT_ONCE = 4;
/** Pause after a source that could not be read, in milliseconds. */
const AFTER_ERROR_MS = 1_000;

export class ShortInitialization {
  readonly #comparisons: Comparisons;
  readonly #log: Logger;
  readonly #waiting = new Set<ProtectedVolume>();
  readonly #running = new Set<ProtectedVolume>();
  readonly #retries = new Set<NodeJS.Timeout>();
  #isStopped = false;

  constructor(comparisons: Comparisons, log: Logger) {
    this.#comparisons = comparisons;
    this.#log = log;
  }

  /** To be called whenever a volume may go on: attached, resumed, unfenced, something confirmed, something only marked. */
  poke(volume: ProtectedVolume): void {
    if (volume.split.isSynced || this.#isStopped) return;
    this.#waiting.add(volume);
    this.#startWaiting();
  }

  stop(): void {
    this.#isStopped = true;
    this.#waiting.clear();
    for (const retry of this.#retries) clearTimeout(retry);
  }

  /** One that is running and was poked again stays in the waiting set, and runs again. */
  #startWaiting(): void {
    for (const volume of this.#waiting) {
      if (this.#running.size >= VOLUMES_AT_ONCE) return;
      if (this.#running.has(volume)) continue;
      this.#waiting.delete(volume);
      if (!volume.initialize()) continue;
      this.#running.add(volume);
      void this.#run(volume);
    }
  }

  async #run(volume: ProtectedVolume): Promise<void> {
    try {
      while (!this.#isStopped && volume.initialize() && (await this.#step(volume)));
      if (volume.finishInitialization()) {
        await this.#comparisons.end(volume);
        volume.split.note('doubt', undefined);
        this.#log.info(
          { volume: volume.id, resentBytes: volume.split.describe().resentBytes },
          'short initialization ended',
        );
      }
      volume.split.note('initialization', undefined);
    } catch (error) {
      this.#failed(volume, error);
    }
    this.#running.delete(volume);
    volume.closeIfIdle();
    this.#startWaiting();
  }

  /** Known to be missing goes first; then what may be. @returns whether there is more to do now. */
  async #step(volume: ProtectedVolume): Promise<boolean> {
    const { marks } = volume.split;
    if (marks.dirty > 0) return volume.resendNext();
    if (marks.doubted === 0) return false;
    await this.#comparisons.step(volume);
    return true;
  }

  #failed(volume: ProtectedVolume, error: unknown): void {
    const { id, split } = volume;
    if (error instanceof MoverError) {
      this.#log.warn({ err: error, volume: id }, 'the replica could not be compared');
      split.note('initialization', `The replica of volume "${id}" could not be compared: ${error.message}`);
    } else {
      this.#log.error({ err: error, volume: id }, 'the source could not be read for short initialization');
      split.note('initialization', `The source of volume "${id}" could not be read to be sent again.`);
    }
    this.#pokeLater(volume);
  }

  #pokeLater(volume: ProtectedVolume): void {
    if (this.#isStopped) return;
    const retry = setTimeout(() => {
      this.#retries.delete(retry);
      this.poke(volume);
    }, AFTER_ERROR_MS);
    this.#retries.add(retry);
  }
}
