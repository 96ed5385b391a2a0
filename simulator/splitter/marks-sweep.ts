// Clears settled marks of all volumes in batches: a region written again and again is then marked once, not once a write. How far
// the replicas are confirmed is stored first.
import type { Logger } from 'pino';
import type { Confirmations } from './confirmations.js';
import type { ProtectedVolume } from './protected-volume.js';

/** How long a mark that is not needed any more may stay: it would only be sent again after a crash. */
const SWEEP_AFTER_MS = 200;
/** How long until it is tried again after the store had no room. */
const AFTER_FAILURE_MS = 5_000;

export class MarksSweep {
  readonly #log: Logger;
  readonly #confirmations: Confirmations;
  readonly #due = new Set<ProtectedVolume>();
  #timer: NodeJS.Timeout | undefined;

  constructor(confirmations: Confirmations, log: Logger) {
    this.#confirmations = confirmations;
    this.#log = log;
  }

  /** To be called after a receipt. Without anything to clear there is no timer. */
  add(volume: ProtectedVolume): void {
    if (volume.split.marks.settled === 0) return;
    this.#due.add(volume);
    this.#timer ??= setTimeout(() => this.now(), SWEEP_AFTER_MS);
  }

  /** The last time: what can't be stored now stays marked. */
  stop(): void {
    this.now();
    clearTimeout(this.#timer);
  }

  now(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#confirmed()) {
      this.#timer = setTimeout(() => this.now(), AFTER_FAILURE_MS);
      return;
    }
    for (const volume of this.#due) {
      this.#due.delete(volume);
      try {
        volume.clearMarks();
      } catch (error) {
        this.#log.warn({ err: error, volume: volume.id }, 'cleared marks could not be stored');
      }
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
