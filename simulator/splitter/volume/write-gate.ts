// Finds an instant when no write is half-way: in the source, at least in part, but not numbered.
// Synchronous writes are never half-way and don't pass the gate. Asynchronous ones enter until such
// an instant is wanted; new ones then wait for those inside, up to a limit. Locking the whole range
// would do too, but would also hold up every small write.
import { MoverError } from '../../../contracts/errors.js';

export class WriteGate {
  #inside = 0;
  #shut: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  /**
   * Lets a write in, before anything of it is done.
   * @returns undefined when it may go on at once.
   */
  enter(): Promise<void> | undefined {
    if (this.#shut !== undefined) return this.#enterLater();
    this.#inside += 1;
    return undefined;
  }

  async #enterLater(): Promise<void> {
    while (this.#shut !== undefined) await this.#shut;
    this.#inside += 1;
  }

  /** Lets a write out that is numbered, or failed. */
  leave(): void {
    this.#inside -= 1;
    if (this.#inside === 0) this.#emptied?.();
  }

  /**
   * Runs `act` when no write is half-way: at once if possible.
   * @param waitMs longest time for which writes are held up.
   * @throws MoverError SCAN_BUSY when the writes inside take longer, or another `atRest` is waiting
   */
  async atRest<T>(waitMs: number, act: () => T): Promise<T> {
    if (this.#shut !== undefined) throw new MoverError('SCAN_BUSY', 'Another scan of the volume is being opened.');
    if (this.#inside === 0) return act();
    let open = (): void => {};
    this.#shut = new Promise<void>((resolve) => {
      open = resolve;
    });
    try {
      if (!(await this.#emptyWithin(waitMs)))
        throw new MoverError(
          'SCAN_BUSY',
          `The writes under way took longer than ${waitMs} ms. Nothing was changed; try again.`,
        );
      return act();
    } finally {
      this.#shut = undefined;
      open();
    }
  }

  async #emptyWithin(waitMs: number): Promise<boolean> {
    return new Promise<boolean>((resolve) => {
      const end = (isEmpty: boolean): void => {
        clearTimeout(timer);
        this.#emptied = undefined;
        resolve(isEmpty);
      };
      const timer = setTimeout(() => end(false), waitMs);
      this.#emptied = () => end(true);
    });
  }
}
