// The Temporal SDK's own metrics, read from the port of its exporter.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { installWith, sdkMetrics } from '../../workers/sdk-metrics.js';
import { parseMetrics } from '../support/metrics-page.js';

let server: Server | undefined;
afterEach(() => {
  server?.close();
  server = undefined;
});

/** An exporter that answers so. @returns its address */
async function exporter(status: number, text: string): Promise<string> {
  server = createServer((_request, response) => response.writeHead(status).end(text));
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const address = server.address();
  return `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}

test('what the exporter has follows the word that it answered, and nothing yet is an answer too', async () => {
  const page = parseMetrics(await sdkMetrics(await exporter(200, 'temporal_x 3\n')).text());
  expect([...page.samples]).toEqual([
    ['volume_mover_sdk_metrics_up', 1],
    ['temporal_x', 3],
  ]);
  server?.close();
  const empty = parseMetrics(await sdkMetrics(await exporter(200, '')).text());
  expect([...empty.samples]).toEqual([['volume_mover_sdk_metrics_up', 1]]);
});

test('an exporter that fails or is gone leaves the rest of the page whole', async () => {
  const address = await exporter(500, 'broken');
  expect([...parseMetrics(await sdkMetrics(address).text()).samples]).toEqual([['volume_mover_sdk_metrics_up', 0]]);
  server?.close();
  server?.closeAllConnections();
  expect([...parseMetrics(await sdkMetrics(address).text()).samples]).toEqual([['volume_mover_sdk_metrics_up', 0]]);
});

test('a free port that was taken meanwhile is replaced by another, a given address never', async () => {
  const tried: string[] = [];
  const address = await installWith(undefined, (each) => {
    tried.push(each);
    if (tried.length < 3) throw new Error('Address already in use');
  });
  expect(tried).toHaveLength(3);
  expect(address).toBe(tried[2]);
  expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
  const refused = installWith('127.0.0.1:9464', () => {
    throw new Error('Address already in use');
  });
  await expect(refused).rejects.toThrow('Address already in use');
});
