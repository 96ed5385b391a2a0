// Client side of the stream: asks a control server to upgrade a connection to it.
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { fromProblem, MoverError, problemSchema } from '../../contracts/errors.js';
import { STREAM_PATH, STREAM_PROTOCOL } from '../../contracts/replica-site-api.js';
import { type ConnectionOptions, FrameConnection } from './connection.js';
import { CONNECT_MS_MAX_DEFAULT, REFUSAL_BYTES_MAX } from './limits.js';

export interface ConnectOptions {
  /** Control URL of the appliance or replica site. */
  readonly url: string;
  readonly token?: string | undefined;
  /** Gives up connecting; has no effect on a connection once it is made. */
  readonly signal?: AbortSignal | undefined;
  /** Longest time until the upgrade is answered, in milliseconds. */
  readonly timeoutMs?: number | undefined;
  readonly connection?: ConnectionOptions | undefined;
}

/**
 * A stream that is not started yet.
 * @throws MoverError the server's own when it refuses; UNREACHABLE (retryable) without such an
 * answer; INVALID_REQUEST for no http URL.
 * @throws the reason of `signal` when it aborts.
 */
export async function connectStream({
  url,
  token,
  signal,
  timeoutMs = CONNECT_MS_MAX_DEFAULT,
  connection,
}: ConnectOptions): Promise<FrameConnection> {
  signal?.throwIfAborted();
  const request = upgradeRequest(url, token);
  return new Promise<FrameConnection>((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    };
    const fail = (error: unknown): void => {
      settle();
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the reason is passed on as it is
      reject(error);
      request.destroy();
    };
    const unreachable = (why: string, cause?: unknown): void =>
      fail(new MoverError('UNREACHABLE', `${url} gives no stream: ${why}`, { cause }));
    const timer = setTimeout(() => unreachable(`no answer within ${timeoutMs} ms`), timeoutMs);
    const abort = (): void => fail(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });

    request.on('error', (error) => unreachable(error.message, error));
    request.on('response', (response) => {
      refusalOf(response).then(
        (problem) =>
          problem === undefined ? unreachable(`answered ${response.statusCode} without an upgrade`) : fail(problem),
        (error: unknown) => unreachable('the answer broke off', error),
      );
    });
    request.on('upgrade', (response: IncomingMessage, socket: Socket, head: Buffer) => {
      if (response.headers.upgrade?.toLowerCase() !== STREAM_PROTOCOL) {
        socket.destroy();
        unreachable(`it upgraded to "${response.headers.upgrade}"`);
        return;
      }
      settle();
      socket.setNoDelay(true);
      if (head.length > 0) socket.unshift(head);
      resolve(new FrameConnection(socket, connection));
    });
    request.end();
  });
}

/** @throws MoverError INVALID_REQUEST when it is no http or https URL. */
function upgradeRequest(baseUrl: string, token: string | undefined): ClientRequest {
  if (!/^https?:/.test(baseUrl) || !URL.canParse(baseUrl))
    throw new MoverError('INVALID_REQUEST', `"${baseUrl}" is not an http or https URL.`);
  const url = `${baseUrl.replace(/\/+$/, '')}${STREAM_PATH}`;
  const headers = {
    connection: 'Upgrade',
    upgrade: STREAM_PROTOCOL,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  // An agent of its own: the socket leaves HTTP, and must not be given back to a pool.
  return (url.startsWith('https:') ? httpsRequest : httpRequest)(url, { headers, agent: false });
}

/** Why the server refused, if it says so in the way of this API. */
async function refusalOf(response: IncomingMessage): Promise<MoverError | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue;
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > REFUSAL_BYTES_MAX) return undefined;
  }
  const problem = problemSchema.safeParse(jsonOf(Buffer.concat(chunks).toString('utf8')));
  return problem.success ? fromProblem(problem.data) : undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
