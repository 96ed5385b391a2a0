// Finds an instant at which no write is half-way: written to the source, in part or whole, but not
// numbered yet. Writes that begin and end within one tick are never half-way and don't pass here.
// Those that take longer are let in until an instant is wanted; then new ones wait for those that
// are inside, and for no longer than they are told. The whole range lock would do as well, but it
// would hold up every small write too.
import { MoverError } from '../../../contracts/errors.js';

export class WriteGate {
  #inside = 0;
  #shut: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  /** Before anything of a write is done. @returns undefined when it may go on at once. */
  enter(): Promise<void> | undefined {
    if (this.#shut !== undefined) return this.#enterLater();
    this.#inside += 1;
    return undefined;
  }

  async #enterLater(): Promise<void> {
    while (this.#shut !== undefined) await this.#shut;
    this.#inside += 1;
  }

  /** The write is numbered, or failed. */
  leave(): void {
    this.#inside -= 1;
    if (this.#inside === 0) this.#emptied?.();
  }

  /**
   * Runs `act` at once if no write is half-way, else at the instant when none is.
   * @param waitMs longest time for which writes are held up.
   * @throws MoverError SCAN_BUSY when they take longer, or somebody else waits for such an instant
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
        throw new MoverError('SCAN_BUSY', `The writes under way took longer than ${waitMs} ms.`);
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
