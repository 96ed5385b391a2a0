// Holds a volume's splitters off after its journal took nothing more: they attach again as often as
// they like, the disk is asked now and then.
import type { MoverError } from '../../../contracts/errors.js';
import { RetryPauses } from '../../disk/retry-pauses.js';
import { ROOM_BYTES_MIN } from './limits.js';

export interface StallGateOptions {
  /** Bytes that are free for the volume's journal; undefined if that isn't known. */
  readonly freeBytes: () => number | undefined;
  /** Milliseconds since any moment, of a clock that is never set. */
  readonly steadyMs: () => number;
}

export class StallGate {
  readonly #options: StallGateOptions;
  readonly #pauses = new RetryPauses();
  #closed: { readonly error: MoverError; readonly untilMs: number } | undefined;

  constructor(options: StallGateOptions) {
    this.#options = options;
  }

  /** The journal took nothing more. */
  close(error: MoverError): void {
    this.#closed = { error, untilMs: this.#options.steadyMs() + this.#pauses.next() };
  }

  /**
   * Lets one who attaches try again, if it is time to and there is room.
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
