// Reads several settings and tells the faults of all of them at once.
import { MoverError, type Reason } from '../contracts/errors.js';

export class AllFaults {
  readonly #found: MoverError[] = [];

  /** What `read` returns; undefined when it refuses, which `refuse` then tells. */
  of<Value>(read: () => Value): Value | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      this.#found.push(error);
      return undefined;
    }
  }

  /** One refusal that has every fault so far; undefined when there was none. */
  get refusal(): MoverError | undefined {
    const [first, ...others] = this.#found;
    if (first === undefined || others.length === 0) return first;
    const reasons = this.#found.flatMap((fault): readonly Reason[] => fault.reasons);
    const sentences = this.#found.map(({ message }) => (/[.!?]$/.test(message) ? message : `${message}.`));
    return new MoverError('INVALID_REQUEST', sentences.join(' '), { reasons, cause: first });
  }
}
