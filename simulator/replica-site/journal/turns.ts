// Shares the event loop among all volumes that distribute, and leaves most of it to other work.

/** Milliseconds of distribution before other events run: the most it adds to any answer. */
const TURN_MS_MAX = 1;

export class Turns {
  readonly #tasks = new Set<() => void>();
  #scheduled = false;

  /** Runs `task` soon, after the waiting ones. A task that waits already is not added again. */
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

/** The turns of the whole process, which has one event loop. */
export const processTurns = new Turns();
