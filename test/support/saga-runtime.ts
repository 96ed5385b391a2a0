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

interface Scope {
  isCancelled: boolean;
  readonly cancelled: Promise<never>;
  readonly cancel: () => void;
}

/** Work that can be cancelled by itself, and waits that a person's request ends. */
export class Scopes {
  readonly #open = new Set<Scope>();
  #wake: (() => void)[] = [];

  readonly cancellable: SagaRuntime['cancellable'] = (work) => {
    const scope = newScope();
    this.#open.add(scope);
    return { done: work().finally(() => this.#open.delete(scope)), cancel: scope.cancel };
  };

  /** Whether work that is under way was cancelled. */
  get isCancelled(): boolean {
    return [...this.#open].some((scope) => scope.isCancelled);
  }

  /** Ends as the work does, or when a scope around it is cancelled. */
  async race<T>(work: Promise<T>): Promise<T> {
    work.catch(() => undefined);
    if (this.isCancelled) throw new Cancelled('interrupted');
    return await Promise.race([work, ...[...this.#open].map(({ cancelled }) => cancelled)]);
  }

  /** Resolves at the next request. */
  async request(): Promise<void> {
    await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  /** Tells the waits that something was asked. */
  requested(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}

function newScope(): Scope {
  let reject: (error: Cancelled) => void = () => undefined;
  const cancelled = new Promise<never>((_resolve, fail) => {
    reject = fail;
  });
  cancelled.catch(() => undefined);
  const scope: Scope = {
    isCancelled: false,
    cancelled,
    cancel: () => {
      scope.isCancelled = true;
      reject(new Cancelled('interrupted'));
    },
  };
  return scope;
}
