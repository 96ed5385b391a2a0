// What the saga needs from a test's own runtime: cancellation, shields and readable errors.
import { MoverError } from '../../contracts/errors.js';
import type { SagaRuntime } from '../../workflows/saga/recorder.js';

/** The move's own cancellation. */
export class Cancelled extends Error {}

/** Counts the shields that are up: no cancellation passes them. */
export class Shields {
  #up = 0;

  get isUp(): boolean {
    return this.#up > 0;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#up += 1;
    try {
      return await work();
    } finally {
      this.#up -= 1;
    }
  }
}

/** Reads errors as the steps throw them when no Temporal is between. */
export const plainErrors: Pick<SagaRuntime, 'isCancellation' | 'codeOf' | 'messageOf'> = {
  isCancellation: (error) => error instanceof Cancelled,
  codeOf: (error) => (error instanceof MoverError ? error.code : undefined),
  messageOf: (error) => (error instanceof Error ? error.message : String(error)),
};
