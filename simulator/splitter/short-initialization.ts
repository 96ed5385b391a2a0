// Sends marked regions again, volume by volume, a region at a time, whenever a volume's situation lets it.
import type { Logger } from 'pino';
import type { ProtectedVolume } from './protected-volume.js';

/** Volumes that read their source at the same time: guests' requests share the disk and the thread pool. */
const VOLUMES_AT_ONCE = 4;
/** Pause after a source that could not be read, in milliseconds. */
const AFTER_ERROR_MS = 1_000;

export class ShortInitialization {
  readonly #log: Logger;
  readonly #waiting = new Set<ProtectedVolume>();
  readonly #running = new Set<ProtectedVolume>();
  readonly #retries = new Set<NodeJS.Timeout>();
  #isStopped = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** To be called whenever a volume may go on: attached, resumed, unfenced, something confirmed, something only marked. */
  poke(volume: ProtectedVolume): void {
    if (volume.split.mode === 'SYNCED' || this.#isStopped) return;
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
      while (!this.#isStopped && volume.initialize() && (await volume.resendNext()));
      if (volume.finishInitialization())
        this.#log.info(
          { volume: volume.id, resentBytes: volume.split.describe().resentBytes },
          'short initialization ended',
        );
      volume.split.note('initialization', undefined);
    } catch (error) {
      this.#log.error({ err: error, volume: volume.id }, 'the source could not be read for short initialization');
      volume.split.note('initialization', `The source of volume "${volume.id}" could not be read to be sent again.`);
      this.#pokeLater(volume);
    }
    this.#running.delete(volume);
    volume.closeIfIdle();
    this.#startWaiting();
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
