// Clears settled marks of all volumes in batches, so that a region written again and again is
// marked once. Stores first how far the replicas are confirmed.
import type { Logger } from 'pino';
import type { Confirmations } from './confirmations.js';
import type { ProtectedVolume } from '../volume/protected-volume.js';

/**
 * Delay until settled marks are cleared, in milliseconds. A crash meanwhile only sends them again.
 */
const SWEEP_AFTER_MS = 200;
/** Delay until the next try after a failed store, in milliseconds. */
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

  /** Has the volume's settled marks cleared soon. Call it after a receipt. */
  add(volume: ProtectedVolume): void {
    if (volume.split.marks.settled === 0) return;
    this.#due.add(volume);
    this.#timer ??= setTimeout(() => void this.now(), SWEEP_AFTER_MS);
  }

  /** Clears marks for the last time. What can't be stored now stays marked. Never rejects. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.now();
  }

  /** Clears the settled marks now. Never rejects. */
  async now(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#storeConfirmations()) {
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
      // More marks may have settled during the sync.
      this.add(volume);
    } catch (error) {
      this.#log.warn({ err: error, volume: volume.id }, 'cleared marks could not be stored');
    }
  }

  /**
   * Stores the positions that the marks rest on.
   * @returns whether they are stored: else no mark may be cleared.
   */
  #storeConfirmations(): boolean {
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
