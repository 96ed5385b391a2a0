// A worker's /healthz: whether it takes work, and what is degraded. It needs no token.
import { createServer, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { MoverError, toProblem } from '../contracts/errors.js';
import { controlUrl, hostPort } from '../contracts/estate.js';
import { healthOperation, type Health } from '../contracts/health.js';

export interface HealthServer {
  /** Base URL, with the port that was taken. */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

export interface HealthServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly health: () => Promise<Health>;
}

/**
 * Answers 200 with what `health` returns, even when degraded: restarting a worker that waits for
 * Temporal does not help.
 * @throws Error naming the setting when the address can't be listened on
 */
export async function startHealthServer({ host, port, health }: HealthServerOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const [path] = (request.url ?? '').split('?');
    if (request.method !== healthOperation.method || path !== healthOperation.path) {
      refuse(
        response,
        new MoverError(
          'ROUTE_NOT_FOUND',
          `There is no ${request.method ?? ''} ${path ?? ''} here; there is ${healthOperation.method} ${healthOperation.path}.`,
        ),
      );
      return;
    }
    health().then(
      (content) => answer(response, 200, 'application/json', content),
      (error: unknown) =>
        refuse(response, new MoverError('INTERNAL', error instanceof Error ? error.message : String(error))),
    );
  });
  server.listen({ host, port });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw cannotListen(host, port, error);
  }
  return { url: urlOf(server, host), stop: async () => stop(server) };
}

function cannotListen(host: string, port: number, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Error(
    `The worker can't answer for its health at ${hostPort({ host, port })}: ${why}. Give each worker of a host an address of its own by VOLUME_MOVER_HEALTH (--health); port 0 takes a free one.`,
    { cause },
  );
}

function refuse(response: ServerResponse, error: MoverError): void {
  const problem = toProblem(error);
  answer(response, problem.status, 'application/problem+json', problem);
}

function answer(response: ServerResponse, status: number, type: string, content: unknown): void {
  response.writeHead(status, { 'content-type': type }).end(JSON.stringify(content));
}

function urlOf(server: Server, host: string): string {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return controlUrl({ host, port });
}

async function stop(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  if (server.listening) await once(server, 'close');
}
