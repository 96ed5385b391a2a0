// The client side of the stream: asks a control server to upgrade a connection to it.
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { type Credentials, tokenFor } from '../../control/credentials.js';
import { tlsHint } from '../../control/tls-hint.js';
import { fromProblem, MoverError, problemSchema } from '../../contracts/errors.js';
import { STREAM_PATH, STREAM_PROTOCOL } from '../../contracts/replica-site-api.js';
import { type ConnectionOptions, FrameConnection } from './connection.js';
import { CONNECT_MS_MAX_DEFAULT, REFUSAL_BYTES_MAX } from './limits.js';

export interface ConnectOptions {
  /** Control URL of the appliance or replica site. */
  readonly url: string;
  readonly credentials?: Credentials | undefined;
  /** Cancels connecting; has no effect once connected. */
  readonly signal?: AbortSignal | undefined;
  /** Longest time until the upgrade is answered, in milliseconds. */
  readonly timeoutMs?: number | undefined;
  readonly connection?: ConnectionOptions | undefined;
}

/**
 * Opens a stream; it isn't started yet.
 * @throws MoverError the server's own when it refuses; UNREACHABLE (retryable) without a usable
 * answer; INVALID_REQUEST when `url` isn't an http URL
 * @throws the reason of `signal` when it aborts
 */
export async function connectStream({
  url,
  credentials,
  signal,
  timeoutMs = CONNECT_MS_MAX_DEFAULT,
  connection,
}: ConnectOptions): Promise<FrameConnection> {
  signal?.throwIfAborted();
  const request = upgradeRequest(url, credentials);
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

    request.on('error', (error) => unreachable(`${error.message}${tlsHint(error)}`, error));
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

/** Begins the request. @throws MoverError INVALID_REQUEST unless the URL is http or https */
function upgradeRequest(baseUrl: string, credentials: Credentials | undefined): ClientRequest {
  if (!/^https?:/.test(baseUrl) || !URL.canParse(baseUrl))
    throw new MoverError('INVALID_REQUEST', `"${baseUrl}" is not an http or https URL.`);
  const url = `${baseUrl.replace(/\/+$/, '')}${STREAM_PATH}`;
  const token = tokenFor(url, credentials);
  const headers = {
    connection: 'Upgrade',
    upgrade: STREAM_PROTOCOL,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  // No shared agent: the socket leaves HTTP and must not return to a pool.
  return (url.startsWith('https:') ? httpsRequest : httpRequest)(url, { ...credentials?.tls, headers, agent: false });
}

/** The reason of a refusal; undefined unless the answer is problem+json of this API. */
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
