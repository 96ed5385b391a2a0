// Callers that wait until a position is applied.
import { abortReason } from './abort-reason.js';

interface Waiter {
  readonly position: number;
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

export class PositionWaiters {
  readonly #waiters = new Set<Waiter>();

  add(position: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(abortReason(signal));
        return;
      }
      const abort = (): void => settle(() => reject(abortReason(signal)));
      const settle = (answer: () => void): void => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', abort);
        answer();
      };
      const waiter: Waiter = {
        position,
        resolve: () => settle(resolve),
        reject: (reason) => settle(() => reject(reason)),
      };
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  reached(position: number): void {
    for (const waiter of this.#waiters) if (waiter.position <= position) waiter.resolve();
  }

  rejectAll(reason: Error): void {
    for (const waiter of this.#waiters) waiter.reject(reason);
  }
}
