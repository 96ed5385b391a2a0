// Shares the event loop among all volumes that have something to distribute, and leaves the larger
// part to others.

/**
 * Work done before other events get their turn, milliseconds: what it may add to any answer of the
 * process.
 */
const TURN_MS_MAX = 1;

export class Turns {
  readonly #tasks = new Set<() => void>();
  #scheduled = false;

  /** Runs `task` soon, after those already waiting; once, if it waits already. */
  enqueue(task: () => void): void {
    this.#tasks.add(task);
    this.#schedule();
  }

  remove(task: () => void): void {
    this.#tasks.delete(task);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    this.#scheduled = false;
    const until = performance.now() + TURN_MS_MAX;
    for (const task of this.#tasks) {
      this.#tasks.delete(task);
      task();
      if (performance.now() >= until) break;
    }
    if (this.#tasks.size > 0) this.#schedule();
  }
}

/** One for the process: its volumes share one event loop. */
export const processTurns = new Turns();
