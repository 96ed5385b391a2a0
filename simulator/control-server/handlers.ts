// What a process writes to serve an API: one function per operation, which gets its parsed input.
import { parseOrRefuse } from '../../contracts/errors.js';
import type { auditOperation } from '../../contracts/audit.js';
import type { healthOperation } from '../../contracts/health.js';
import type { Api, Operation, OutputOf, ParsedInputOf } from '../../contracts/route.js';

export interface CallContext {
  /** Aborts when the caller has hung up or the server is being stopped. */
  readonly signal: AbortSignal;
}

export type Handler<O extends Operation> = (
  input: ParsedInputOf<O>,
  context: CallContext,
) => Promise<OutputOf<O>> | OutputOf<O>;

/** The operations that a process has handlers for: the server answers health and audit itself. */
type Served<A extends Api> = Exclude<keyof A, 'health' | 'audit'>;

/** What the server answers itself has one form in every API. */
export type ServerAnswered = { readonly health?: typeof healthOperation; readonly audit?: typeof auditOperation };

export type Handlers<A extends Api> = { readonly [K in Served<A>]: Handler<A[K]> };

/** An operation with its handler, before the input is parsed. */
export interface BoundOperation {
  readonly name: string;
  readonly operation: Operation;
  /**
   * Parses the input, calls the handler. @throws MoverError INVALID_REQUEST with every wrong field
   */
  readonly call: (input: unknown, context: CallContext) => unknown;
}

/** Binds every operation of `api` that a process has a handler for. */
export function bindHandlers<A extends Api & ServerAnswered>(api: A, handlers: Handlers<A>): BoundOperation[] {
  const isServed = (name: Extract<keyof A, string>): name is Extract<Served<A>, string> =>
    name !== 'health' && name !== 'audit';
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
