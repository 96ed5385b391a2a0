// The typed client of a control API, made from its table of operations: what activities, the client
// and the simulator's processes call with.
import type { z } from 'zod';
import { MoverError, reasonsOf } from '../contracts/errors.js';
import type { Api, Calls } from '../contracts/route.js';
import { type Exchange, runExchange, subjectOf } from './exchange.js';

/**
 * Longest wait for a whole answer, in milliseconds, unless told otherwise: no answer that is not
 * stuck takes as long.
 */
export const CALL_TIMEOUT_MS_DEFAULT = 10_000;

export interface ApiClientOptions {
  /** Where the API is served, e.g. `http://127.0.0.1:7101`; a path in it is kept as a prefix. */
  readonly baseUrl: string;
  /** Bearer token; not sent when absent. */
  readonly token?: string | undefined;
  /** Longest time from a call to the end of its answer, in milliseconds. */
  readonly timeoutMs?: number | undefined;
}

/**
 * The operations of `api` as functions. Connections are kept alive between calls.
 *
 * A call rejects with the reason of its own signal when that aborts, else with a MoverError: the
 * server's own; UNREACHABLE (retryable) when there was no answer of this API: refused or broken
 * connection, time-out, an error page of something else; INTERNAL when the call succeeded but its
 * answer is not of the operation's form.
 * @throws MoverError INVALID_REQUEST when `baseUrl` is no http or https URL.
 */
export function createApiClient<A extends Api>(api: A, options: ApiClientOptions): Calls<A> {
  const common = {
    baseUrl: withoutSlash(options.baseUrl),
    token: options.token,
    timeoutMs: options.timeoutMs ?? CALL_TIMEOUT_MS_DEFAULT,
  };
  const callOf = <K extends Extract<keyof A, string>>(name: K): Calls<A>[K] => {
    const operation: A[K] = api[name];
    return async (input, { signal } = {}) => {
      const exchange = { ...common, name, operation, input, signal };
      return conforming<A[K]['output']>(exchange, operation.output, await runExchange(exchange));
    };
  };
  const calls: { -readonly [K in keyof A]?: Calls<A>[K] } = {};
  for (const name in api) if (Object.hasOwn(api, name)) calls[name] = callOf(name);
  if (!isComplete(api, calls)) throw new MoverError('INTERNAL', 'An operation of the API has no call.');
  return calls;
}

function isComplete<A extends Api>(api: A, calls: Partial<Calls<A>>): calls is Calls<A> {
  return Object.keys(api).every((name) => name in calls);
}

function conforming<S extends z.ZodType>(exchange: Exchange, schema: S, content: unknown): z.output<S> {
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  const reasons = reasonsOf(result.error, 'answer');
  const listed = reasons.map((reason) => `${reason.subject}: ${reason.message}`).join('; ');
  throw new MoverError('INTERNAL', `${subjectOf(exchange)} answered not in the agreed form: ${listed}`, { reasons });
}

function withoutSlash(baseUrl: string): string {
  if (!URL.canParse(baseUrl) || !/^https?:$/.test(new URL(baseUrl).protocol)) {
    throw new MoverError('INVALID_REQUEST', `"${baseUrl}" is not an http or https URL.`);
  }
  return baseUrl.replace(/\/+$/, '');
}
