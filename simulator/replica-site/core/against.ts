// Gathers every reason against a change before it is made, so that a refusal names all at once.
import type { ErrorCode } from '../../../contracts/error-registry.js';
import type { Reason } from '../../../contracts/errors.js';
import { refuseChange } from '../../../contracts/lifecycle.js';

/** The reasons against a change, gathered before it is made. */
export class Against {
  readonly #what: string;
  readonly #reasons: Reason[] = [];

  constructor(what: string) {
    this.#what = what;
  }

  add(code: ErrorCode, subject: string, message: string): void {
    this.#reasons.push({ code, subject, message });
  }

  /** @throws MoverError CHANGE_REFUSED with every reason */
  refuse(): void {
    refuseChange(this.#what, this.#reasons);
  }
}
