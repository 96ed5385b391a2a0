// A worker's /healthz: whether it takes work, and what is degraded; and its /metrics. Neither needs
// a token.
import { createServer, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { MoverError, toProblem } from '../contracts/errors.js';
import { controlUrl } from '../contracts/estate.js';
import { healthOperation, type Health } from '../contracts/health.js';
import { METRICS_CONTENT_TYPE, METRICS_PATH } from '../control/metrics/metrics-page.js';

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
  /** Metrics for Prometheus. They name no volume, since nobody is asked who reads them. */
  readonly metrics: () => Promise<string>;
}

/**
 * Answers 200 with what `health` returns, even when degraded: restarting a worker that waits for
 * Temporal does not help.
 * @throws Error when the port is taken
 */
export async function startHealthServer({ host, port, health, metrics }: HealthServerOptions): Promise<HealthServer> {
  const routes = new Map([
    [healthOperation.path, { type: 'application/json', content: async () => JSON.stringify(await health()) }],
    [METRICS_PATH, { type: METRICS_CONTENT_TYPE, content: metrics }],
  ]);
  const server = createServer((request, response) => {
    const [path] = (request.url ?? '').split('?');
    const route = request.method === 'GET' ? routes.get(path ?? '') : undefined;
    if (route === undefined) {
      const there = [...routes.keys()].map((each) => `GET ${each}`).join(' and ');
      refuse(
        response,
        new MoverError('ROUTE_NOT_FOUND', `There is no ${request.method ?? ''} ${path ?? ''} here; there is ${there}.`),
      );
      return;
    }
    route.content().then(
      (content) => answer(response, 200, route.type, content),
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
  answer(response, problem.status, 'application/problem+json', JSON.stringify(problem));
}

function answer(response: ServerResponse, status: number, type: string, content: string): void {
  response.writeHead(status, { 'content-type': type }).end(content);
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
