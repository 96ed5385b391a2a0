// Holds splitters off a volume whose journal refused records. They may attach as often as they
// like; the disk is asked only now and then.
import type { MoverError } from '../../../contracts/errors.js';
import { RetryPauses } from '../../disk/retry-pauses.js';
import { ROOM_BYTES_MIN } from './limits.js';

export interface StallGateOptions {
  /** Free bytes on the journal's disk; undefined if unknown. */
  readonly freeBytes: () => number | undefined;
  /** A monotonic clock, milliseconds. */
  readonly steadyMs: () => number;
}

export class StallGate {
  readonly #options: StallGateOptions;
  readonly #pauses = new RetryPauses();
  #closed: { readonly error: MoverError; readonly untilMs: number } | undefined;

  constructor(options: StallGateOptions) {
    this.#options = options;
  }

  /** Closes the gate for a pause: the journal refused records. */
  close(error: MoverError): void {
    this.#closed = { error, untilMs: this.#options.steadyMs() + this.#pauses.next() };
  }

  /**
   * Lets an attachment through if the pause is over and there is room.
   * @throws MoverError why not
   */
  pass(): void {
    if (this.#closed === undefined) return;
    const { error, untilMs } = this.#closed;
    if (this.#options.steadyMs() < untilMs) throw error;
    if (error.code !== 'STORAGE_FULL' || (this.#options.freeBytes() ?? Infinity) >= ROOM_BYTES_MIN) return;
    this.close(error);
    throw error;
  }
}
