// How long guests wait for their requests, and how much they read and write. It is on each
// request's way, so it looks nothing up and makes nothing.
import type { Distribution } from '../../../control/metrics/distribution.js';

/** What a guest asks for. A trim counts as zeroes. */
export type GuestOperation = 'read' | 'write' | 'zeroes' | 'flush';

const MILLISECONDS = 1e3;

export class GuestRequests {
  readonly #durations: Readonly<Record<GuestOperation, Distribution>>;
  #readBytes = 0;
  #writtenBytes = 0;

  /** @param durationsOf where an operation's durations are counted, in seconds */
  constructor(durationsOf: (operation: GuestOperation) => Distribution) {
    this.#durations = {
      read: durationsOf('read'),
      write: durationsOf('write'),
      zeroes: durationsOf('zeroes'),
      flush: durationsOf('flush'),
    };
  }

  get readBytes(): number {
    return this.#readBytes;
  }

  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /**
   * Counts a request once it is answered. A failed one is not counted: it says nothing of how long
   * an answer takes.
   * @param beganMs of `performance.now()`
   * @param bytes of data read or written
   * @returns the answer
   */
  answered<T>(operation: GuestOperation, beganMs: number, bytes: number, answer: T | Promise<T>): T | Promise<T> {
    if (answer instanceof Promise) return this.#answeredLater(operation, beganMs, bytes, answer);
    this.#count(operation, beganMs, bytes);
    return answer;
  }

  async #answeredLater<T>(operation: GuestOperation, beganMs: number, bytes: number, answer: Promise<T>): Promise<T> {
    const answered = await answer;
    this.#count(operation, beganMs, bytes);
    return answered;
  }

  #count(operation: GuestOperation, beganMs: number, bytes: number): void {
    this.#durations[operation].observe((performance.now() - beganMs) / MILLISECONDS);
    if (operation === 'read') this.#readBytes += bytes;
    else this.#writtenBytes += bytes;
  }
}
