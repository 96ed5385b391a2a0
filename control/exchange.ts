// One HTTP request and its answer. Every failure becomes one of the registry's errors.
import { request } from 'undici';
import { fromProblem, MoverError, problemSchema } from '../contracts/errors.js';
import type { Operation } from '../contracts/route.js';
import { causeOf } from './cause.js';
import { connectionsFor } from './connections.js';
import { type Credentials, tokenFor } from './credentials.js';
import { queryString } from './query.js';
import { timeLimit } from './time-limit.js';
import { tlsHint } from './tls-hint.js';

/** The status of a process that answers, and can't serve. */
const UNREADY = 503;
/** Longest excerpt of an answer that is no problem+json in an error's message, characters. */
const EXCERPT_LENGTH_MAX = 200;

export interface Exchange {
  /** The base URL without a trailing slash. */
  readonly baseUrl: string;
  /** The operation's name in the API's table. */
  readonly name: string;
  readonly operation: Operation;
  readonly input: Readonly<Record<string, unknown>>;
  readonly credentials: Credentials | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** The request as the start of a sentence: what was asked of whom. */
export function subjectOf({ baseUrl, name, operation }: Exchange): string {
  return `${baseUrl}: ${name} (${operation.method} ${operation.path})`;
}

/**
 * Runs a request and returns the JSON of a successful answer, not yet checked against the
 * operation's schema. A 503 that has the form of the answer is one, too.
 * @throws MoverError the server's own error; UNREACHABLE without an answer of this API; INTERNAL
 * for a success that is no JSON.
 * @throws the reason of `signal` when it aborts.
 */
export async function runExchange(exchange: Exchange): Promise<unknown> {
  const limit = timeLimit(exchange.timeoutMs, exchange.signal);
  try {
    const { statusCode, body } = await request(...requestOf(exchange, limit.signal));
    return contentOf(exchange, statusCode, await body.text());
  } catch (error) {
    if (error instanceof MoverError) throw error;
    if (limit.expired()) {
      throw unreachable(exchange, `no answer within ${exchange.timeoutMs} ms`, error);
    }
    exchange.signal?.throwIfAborted();
    throw unreachable(exchange, `${causeOf(error)}${tlsHint(error)}`, error);
  } finally {
    limit.release();
  }
}

/**
 * Builds the request. Redirects are not followed: they would send the token elsewhere and turn a
 * POST into a GET.
 */
function requestOf(exchange: Exchange, signal: AbortSignal): Parameters<typeof request> {
  const { baseUrl, operation, input, credentials } = exchange;
  // An operation that anybody may call is sent no token.
  const token = operation.roles.length === 0 ? undefined : tokenFor(baseUrl, credentials);
  const url = `${baseUrl}${operation.path}`;
  const headers: Record<string, string> = { accept: 'application/json' };
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
  const options = { method: operation.method, headers, signal, dispatcher: connectionsFor(credentials?.tls) } as const;
  if (operation.method === 'GET') return [`${url}${queryString(input)}`, options];
  headers['content-type'] = 'application/json';
  return [url, { ...options, body: JSON.stringify(input) }];
}

function contentOf(exchange: Exchange, status: number, text: string): unknown {
  const content = jsonOf(text);
  if (status >= 200 && status < 300) {
    if (content === undefined)
      throw new MoverError('INTERNAL', `${subjectOf(exchange)} answered something that is not JSON: ${excerpt(text)}`);
    return content;
  }
  const problem = problemSchema.safeParse(content);
  if (problem.success) throw fromProblem(problem.data);
  if (status === UNREADY && exchange.operation.answersUnready === true && content !== undefined) return content;
  throw unreachable(exchange, `answered ${status} without a problem of this API: ${excerpt(text)}`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unreachable(exchange: Exchange, why: string, cause?: unknown): MoverError {
  return new MoverError('UNREACHABLE', `${subjectOf(exchange)} cannot be reached: ${why}`, { cause });
}

function excerpt(text: string): string {
  return JSON.stringify(text.length > EXCERPT_LENGTH_MAX ? `${text.slice(0, EXCERPT_LENGTH_MAX)}…` : text);
}
