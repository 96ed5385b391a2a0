// What a process writes to serve an API: one function an operation, given its input already parsed.
import { parseOrRefuse } from '../../contracts/errors.js';
import type { healthOperation } from '../../contracts/health.js';
import type { Api, Operation, OutputOf, ParsedInputOf } from '../../contracts/route.js';

export interface CallContext {
  /** Aborts when the caller has gone away or the server is being stopped. */
  readonly signal: AbortSignal;
}

export type Handler<O extends Operation> = (
  input: ParsedInputOf<O>,
  context: CallContext,
) => Promise<OutputOf<O>> | OutputOf<O>;

/** The operations a process answers itself: all but health, which the server answers for it. */
type Served<A extends Api> = Exclude<keyof A, 'health'>;

export type Handlers<A extends Api> = { readonly [K in Served<A>]: Handler<A[K]> };

/** An operation with its handler, input not parsed yet. */
export interface BoundOperation {
  readonly name: string;
  readonly operation: Operation;
  /** @throws MoverError INVALID_REQUEST naming every field at fault. */
  readonly call: (input: unknown, context: CallContext) => unknown;
}

/** Every operation of `api` but health, bound to its handler. */
export function bindHandlers<A extends Api & { readonly health?: typeof healthOperation }>(
  api: A,
  handlers: Handlers<A>,
): BoundOperation[] {
  const isServed = (name: Extract<keyof A, string>): name is Extract<Served<A>, string> => name !== 'health';
  const bind = <K extends Extract<Served<A>, string>>(
    name: K,
    operation: A[K],
    handler: Handlers<A>[K],
  ): BoundOperation => ({
    name,
    operation,
    call: (input, context) => handler(parseOrRefuse<A[K]['input']>(operation.input, input, 'input'), context),
  });
  const bound: BoundOperation[] = [];
  for (const name in api) if (isServed(name)) bound.push(bind(name, api[name], handlers[name]));
  return bound;
}
