// Clears settled marks of all volumes in batches: a region written again and again is then marked once, not once a write.
import type { Logger } from 'pino';
import type { ProtectedVolume } from './protected-volume.js';

/** How long a mark that is not needed any more may stay: it would only be sent again after a crash. */
const SWEEP_AFTER_MS = 200;

export class MarksSweep {
  readonly #log: Logger;
  readonly #due = new Set<ProtectedVolume>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** To be called after a receipt. Without anything to clear there is no timer. */
  add(volume: ProtectedVolume): void {
    if (volume.split.marks.settled === 0) return;
    this.#due.add(volume);
    this.#timer ??= setTimeout(() => void this.now(), SWEEP_AFTER_MS);
  }

  /** Never rejects. */
  async now(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const due = [...this.#due];
    this.#due.clear();
    await Promise.all(due.map(async (volume) => this.#clear(volume)));
  }

  async #clear(volume: ProtectedVolume): Promise<void> {
    try {
      await volume.clearMarks();
      // Where the disk was waited for, more may have been settled meanwhile.
      this.add(volume);
    } catch (error) {
      this.#log.warn({ err: error, volume: volume.id }, 'cleared marks could not be stored');
    }
  }
}
