// A worker's server over real HTTP: its routes, and the probes among them.
import { afterEach, expect, test } from 'vitest';
import { problemSchema } from '../../contracts/errors.js';
import { healthSchema, type Health, PROBES, readinessSchema } from '../../contracts/health.js';
import { type HealthServer, type Route, startHealthServer } from '../../workers/health-server.js';
import { metricsRoute, probesOf } from '../../workers/probes.js';

let server: HealthServer;
afterEach(async () => server.stop());

const HEALTH: Health = {
  status: 'degraded',
  role: 'worker',
  id: 'w1',
  startedAtMs: 1,
  notes: ['Temporal at 10.0.0.1:7233 does not answer.'],
};

const start = async (routes: readonly Route[]): Promise<HealthServer> =>
  startHealthServer({ host: '127.0.0.1', port: 0, routes });

const startProbed = async (reasons: readonly string[]): Promise<HealthServer> =>
  start(probesOf({ unready: async () => reasons, health: async () => HEALTH }));

test.each([
  { what: 'takes work', reasons: [], status: 200 },
  { what: 'takes none', reasons: ['Temporal does not answer.'], status: 503 },
])('a worker that $what lives, and says so by its status codes', async ({ reasons, status }) => {
  server = await startProbed(reasons);
  const live = await fetch(`${server.url}/livez`);
  expect(live.status).toBe(200);
  expect(PROBES.live.output.parse(await live.json())).toEqual({ status: 'alive' });
  const ready = await fetch(`${server.url}/readyz?verbose`);
  expect(ready.status).toBe(status);
  expect(readinessSchema.parse(await ready.json()).reasons).toEqual(reasons);
  const health = await fetch(`${server.url}/healthz`);
  expect(health.status).toBe(status);
  expect(healthSchema.parse(await health.json())).toEqual(HEALTH);
});

test('a degraded worker that takes work is healthy enough', async () => {
  server = await startProbed([]);
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
});

test('HEAD asks as GET does', async () => {
  server = await startProbed(['Temporal does not answer.']);
  const response = await fetch(`${server.url}/readyz`, { method: 'HEAD' });
  expect(response.status).toBe(503);
  expect(await response.text()).toBe('');
});

test('metrics are answered as text', async () => {
  server = await start([metricsRoute([{ text: async () => 'x 1\n' }])]);
  const response = await fetch(`${server.url}/metrics`);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(await response.text()).toBe('x 1\n');
});

test('everything else is a problem that names what there is', async () => {
  server = await startProbed([]);
  const response = await fetch(`${server.url}/healthz`, { method: 'POST' });
  expect(response.status).toBe(404);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(problemSchema.parse(await response.json())).toMatchObject({
    code: 'ROUTE_NOT_FOUND',
    detail: 'There is no POST /healthz here; there is GET /livez, GET /readyz, GET /healthz.',
  });
});

test('a route that fails is a problem, not a hanging request', async () => {
  server = await start([{ path: '/broken', answer: async () => Promise.reject(new Error('it broke')) }]);
  const response = await fetch(`${server.url}/broken`);
  expect(problemSchema.parse(await response.json())).toMatchObject({ code: 'INTERNAL', detail: 'it broke' });
});

test('a port that is taken is an error at the start, with what to set', async () => {
  server = await startProbed([]);
  const port = Number(new URL(server.url).port);
  await expect(startHealthServer({ host: '127.0.0.1', port, routes: [] })).rejects.toThrow(
    /EADDRINUSE[^]*VOLUME_MOVER_HEALTH \(--health\)/,
  );
});

test('stopping twice is no error', async () => {
  server = await startProbed([]);
  await server.stop();
  await expect(server.stop()).resolves.toBeUndefined();
});
