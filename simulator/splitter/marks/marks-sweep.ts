// Clears settled marks of all volumes in batches: a region written again and again is then marked
// once, not once a write. How far the replicas are confirmed is stored first.
import type { Logger } from 'pino';
import type { Confirmations } from './confirmations.js';
import type { ProtectedVolume } from '../volume/protected-volume.js';

/**
 * How long a mark that is not needed any more may stay: it would only be sent again after a crash.
 */
const SWEEP_AFTER_MS = 200;
/** How long until it is tried again after the store had no room. */
const AFTER_FAILURE_MS = 5_000;

export class MarksSweep {
  readonly #log: Logger;
  readonly #confirmations: Confirmations;
  readonly #due = new Set<ProtectedVolume>();
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(confirmations: Confirmations, log: Logger) {
    this.#confirmations = confirmations;
    this.#log = log;
  }

  /** To be called after a receipt. Without anything to clear there is no timer. */
  add(volume: ProtectedVolume): void {
    if (volume.split.marks.settled === 0) return;
    this.#due.add(volume);
    this.#timer ??= setTimeout(() => void this.now(), SWEEP_AFTER_MS);
  }

  /** The last time: what can't be stored now stays marked. Never rejects. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.now();
  }

  /** Never rejects. */
  async now(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#confirmed()) {
      if (!this.#isStopped) this.#timer = setTimeout(() => void this.now(), AFTER_FAILURE_MS);
      return;
    }
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

  /** Marks are cleared only once it is stored what they rest on. @returns whether it is */
  #confirmed(): boolean {
    try {
      this.#confirmations.put(
        [...this.#due].flatMap(({ id, split: { confirmed } }) => (confirmed === undefined ? [] : [[id, confirmed]])),
      );
      return true;
    } catch (error) {
      this.#log.warn({ err: error }, 'confirmed positions could not be stored: marks stay');
      return false;
    }
  }
}
