// The typed client of a control API, made from its table of operations. Activities, the SDK client
// and the simulators use it.
import type { z } from 'zod';
import { MoverError, reasonsOf } from '../contracts/errors.js';
import type { Api, Calls } from '../contracts/route.js';
import type { Credentials } from './credentials.js';
import { type Exchange, runExchange, subjectOf } from './exchange.js';

/** Default time limit for a whole answer, ms. Only a stuck call takes longer. */
export const CALL_TIMEOUT_MS_DEFAULT = 10_000;

export interface ApiClientOptions {
  /**
   * Where the API is served, for example `http://127.0.0.1:7101`. A path in it is kept as a prefix.
   */
  readonly baseUrl: string;
  /** Token and certificate for the server; absent: none. */
  readonly credentials?: Credentials | undefined;
  /** Longest time from a call to the end of its answer, ms. */
  readonly timeoutMs?: number | undefined;
}

/**
 * The operations of `api` as functions. Connections are kept alive between calls.
 *
 * A call rejects with the reason of its own signal when that aborts, else with a MoverError: the
 * server's own error; UNREACHABLE (retryable) without an answer of this API (refused or broken
 * connection, timeout, another server's error page); INTERNAL when the call succeeded but the
 * answer does not match the operation.
 * @throws MoverError INVALID_REQUEST when `baseUrl` is no http or https URL.
 */
export function createApiClient<A extends Api>(api: A, options: ApiClientOptions): Calls<A> {
  const common = {
    baseUrl: withoutSlash(options.baseUrl),
    credentials: options.credentials,
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
  throw new MoverError('INTERNAL', `${subjectOf(exchange)} answered in an unexpected form: ${listed}`, { reasons });
}

function withoutSlash(baseUrl: string): string {
  if (!URL.canParse(baseUrl) || !/^https?:$/.test(new URL(baseUrl).protocol)) {
    throw new MoverError('INVALID_REQUEST', `"${baseUrl}" is not an http or https URL.`);
  }
  return baseUrl.replace(/\/+$/, '');
}
