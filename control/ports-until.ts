// Ports whose calls end when a signal aborts: what a cancelled activity, or a worker that stops,
// waits for at a process that does not answer.
import type { Ports } from './ports.js';

interface CallOptions {
  readonly signal?: AbortSignal;
}

/**
 * The same ports. A call rejects with the signal's reason once that aborts, unless the call has a
 * signal of its own.
 */
export function portsUntil(signal: AbortSignal | undefined, ports: Ports): Ports {
  if (signal === undefined) return ports;
  return {
    appliances: until(signal, ports.appliances),
    splitters: until(signal, ports.splitters),
    hooks: ports.hooks,
  };
}

function until<Id, Port extends { readonly calls: object }>(
  signal: AbortSignal,
  ports: ReadonlyMap<Id, Port>,
): ReadonlyMap<Id, Port> {
  return new Map([...ports].map(([id, port]) => [id, { ...port, calls: callsUntil(signal, port.calls) }]));
}

function callsUntil<C extends object>(signal: AbortSignal, calls: C): C {
  return new Proxy(calls, {
    get(target, name): unknown {
      const call: unknown = Reflect.get(target, name);
      if (typeof call !== 'function') return call;
      return (input: unknown, options?: CallOptions): unknown =>
        Reflect.apply(call, target, [input, { signal, ...options }]);
    },
  });
}
