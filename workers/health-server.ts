// A worker's /healthz: whether it takes work, and what is degraded. It needs no token.
import { createServer, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { MoverError, toProblem } from '../contracts/errors.js';
import { controlUrl } from '../contracts/estate.js';
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
 * @throws Error when the port is taken
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
  await once(server, 'listening');
  return { url: urlOf(server, host), stop: async () => stop(server) };
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
