// A worker's HTTP server: a list of routes. None needs a token: the probes of a container platform
// have none, and by default only this machine can connect.
import { createServer, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { MoverError, toProblem } from '../contracts/errors.js';
import { controlUrl, hostPort } from '../contracts/estate.js';
import { closeAtOnce, portOf } from '../control/http-listener.js';

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

export interface HealthServer {
  /** Base URL, with the port that was taken. */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

export interface HealthServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly routes: readonly Route[];
}

/** A path that GET and HEAD may ask for. */
export interface Route {
  readonly path: string;
  /** The answer. A rejection is answered as INTERNAL. */
  readonly answer: () => Promise<RouteAnswer>;
}

export interface RouteAnswer {
  readonly status: number;
  /** The content type. */
  readonly type: string;
  readonly body: string;
}

/** An answer in JSON. */
export function jsonAnswer(status: number, content: unknown, type = 'application/json'): RouteAnswer {
  return { status, type, body: JSON.stringify(content) };
}

/**
 * Serves the routes.
 * @throws Error naming the setting when the address can't be listened on
 */
export async function startHealthServer({ host, port, routes }: HealthServerOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    void answerTo(request, routes).then(({ status, type, body }) =>
      // HEAD: Node.js leaves the body out by itself.
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body),
    );
  });
  server.listen({ host, port });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw cannotListen(host, port, error);
  }
  return { url: controlUrl({ host, port: portOf(server) }), stop: async () => closeAtOnce(server) };
}

function cannotListen(host: string, port: number, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Error(
    `The worker can't answer for its health at ${hostPort({ host, port })}: ${why}. Give each worker of a host an address of its own by VOLUME_MOVER_HEALTH (--health); port 0 takes a free one.`,
    { cause },
  );
}

async function answerTo({ method = '', url = '' }: IncomingMessage, routes: readonly Route[]): Promise<RouteAnswer> {
  const [path = ''] = url.split('?');
  const route = METHODS.has(method) ? routes.find((candidate) => candidate.path === path) : undefined;
  if (route === undefined) {
    const known = routes.map((candidate) => `GET ${candidate.path}`).join(', ');
    return refusal(new MoverError('ROUTE_NOT_FOUND', `There is no ${method} ${path} here; there is ${known}.`));
  }
  try {
    return await route.answer();
  } catch (error) {
    return refusal(new MoverError('INTERNAL', error instanceof Error ? error.message : String(error)));
  }
}

function refusal(error: MoverError): RouteAnswer {
  const problem = toProblem(error);
  return jsonAnswer(problem.status, problem, 'application/problem+json');
}
