// /healthz and /metrics of a worker over real HTTP.
import { afterEach, expect, test } from 'vitest';
import { problemSchema } from '../../contracts/errors.js';
import { healthSchema, type Health } from '../../contracts/health.js';
import { type HealthServer, startHealthServer } from '../../workers/health-server.js';

let server: HealthServer;
afterEach(async () => server.stop());

const HEALTH: Health = {
  status: 'degraded',
  role: 'worker',
  id: 'w1',
  startedAtMs: 1,
  notes: ['Temporal does not answer.'],
};

const start = async (health: () => Promise<Health>): Promise<HealthServer> =>
  startHealthServer({ host: '127.0.0.1', port: 0, health, metrics: async () => 'x 1\n' });

test('health is answered with 200, degraded or not', async () => {
  server = await start(async () => HEALTH);
  const response = await fetch(`${server.url}/healthz?now`);
  expect(response.status).toBe(200);
  expect(healthSchema.parse(await response.json())).toEqual(HEALTH);
});

test('metrics are answered as text', async () => {
  server = await start(async () => HEALTH);
  const response = await fetch(`${server.url}/metrics`);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(await response.text()).toBe('x 1\n');
});

test('everything else is a problem that names what there is', async () => {
  server = await start(async () => HEALTH);
  const response = await fetch(`${server.url}/healthz`, { method: 'POST' });
  expect(response.status).toBe(404);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(problemSchema.parse(await response.json())).toMatchObject({
    code: 'ROUTE_NOT_FOUND',
    detail: 'There is no POST /healthz here; there is GET /healthz and GET /metrics.',
  });
});

test('a check that fails is a problem, not a hanging request', async () => {
  server = await start(async () => Promise.reject(new Error('it broke')));
  const response = await fetch(`${server.url}/healthz`);
  expect(problemSchema.parse(await response.json())).toMatchObject({ code: 'INTERNAL', detail: 'it broke' });
});

test('a port that is taken is an error at the start', async () => {
  server = await start(async () => HEALTH);
  const port = Number(new URL(server.url).port);
  const again = startHealthServer({ host: '127.0.0.1', port, health: async () => HEALTH, metrics: async () => '' });
  await expect(again).rejects.toThrow('EADDRINUSE');
});

test('stopping twice is no error', async () => {
  server = await start(async () => HEALTH);
  await server.stop();
  await expect(server.stop()).resolves.toBeUndefined();
});
