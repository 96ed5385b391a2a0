// Faults between the steps and the estate: a call that fails, is held up, or answers something
// else. Everything else passes.
import type { AppliancePort, Ports, SplitterPort } from '../../../control/ports.js';
import type { MoverError } from '../../../contracts/errors.js';

type Call = () => Promise<unknown>;
/** @param input what the call is made with */
type Fault = (call: Call, input: unknown) => Promise<unknown>;
type Operation = keyof AppliancePort['calls'] | keyof SplitterPort['calls'];

export interface Hold {
  /** Resolves when the first call has got there. */
  readonly reached: Promise<void>;
  readonly release: () => void;
}

export class PortFaults {
  readonly #faults = new Map<string, Fault[]>();
  /** The operations called so far, in order. */
  readonly called: string[] = [];

  /** The next `times` calls of the operation go through the fault instead. */
  next(operation: Operation, times: number, fault: Fault): void {
    this.#faults.set(operation, [
      ...(this.#faults.get(operation) ?? []),
      ...Array.from({ length: times }, () => fault),
    ]);
  }

  fail(operation: Operation, error: MoverError, times: number): void {
    this.next(operation, times, async () => Promise.reject(error));
  }

  /** Holds up one call before it is made, or its answer after. */
  hold(operation: Operation, place: 'before' | 'after'): Hold {
    const reached = signal();
    const released = signal();
    this.next(operation, 1, async (call) => {
      if (place === 'after') {
        const answer = await call();
        reached.give();
        await released.given;
        return answer;
      }
      reached.give();
      await released.given;
      return call();
    });
    return { reached: reached.given, release: released.give };
  }

  wrap(ports: Ports): Ports {
    return {
      appliances: new Map(
        [...ports.appliances].map(([id, port]) => [id, { ...port, calls: this.#through(port.calls) }]),
      ),
      splitters: new Map([...ports.splitters].map(([id, port]) => [id, { ...port, calls: this.#through(port.calls) }])),
    };
  }

  #through<C extends object>(calls: C): C {
    return new Proxy(calls, {
      get: (target, name) => {
        const operation = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
        return async (...args: unknown[]) => {
          this.called.push(String(name));
          const call: Call = async () => operation(...args);
          const fault = this.#faults.get(String(name))?.shift();
          return fault === undefined ? call() : fault(call, args[0]);
        };
      },
    });
  }
}

function signal(): { readonly given: Promise<void>; readonly give: () => void } {
  let give = (): void => undefined;
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give };
}
