// The Temporal SDK's own metrics. Its exporter serves them on a port of its own; this reads them
// there, so that one page of the worker has everything.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { request } from 'undici';
import { portOf } from '../control/http-listener.js';
import type { Families } from '../control/metrics/families.js';
import { Metrics, type MetricsSource } from '../control/metrics/metrics.js';
import { METRICS_PATH } from '../control/metrics/metrics-page.js';

/** Longest wait for the exporter, which is in this process, ms. */
const READ_MS_MAX = 2_000;
/** Most free ports that are tried for the exporter. */
const FREE_PORTS_TRIED_MAX = 5;

export const SDK_FAMILIES = {
  volume_mover_sdk_metrics_up: {
    type: 'gauge',
    help: '1 if the Temporal SDK’s own metrics could be read; they follow it on the page.',
    labels: [],
  },
} as const satisfies Families;

/** @param address of the SDK's exporter, `host:port` */
export function sdkMetrics(address: string): MetricsSource {
  let own: string | undefined;
  const up = new Metrics(SDK_FAMILIES, async (metrics) => {
    own = await textAt(address).catch(() => undefined);
    metrics.setOne('volume_mover_sdk_metrics_up', Number(own !== undefined));
  });
  return { text: async () => `${await up.text()}${own ?? ''}` };
}

/** @throws Error when there is no such page */
async function textAt(address: string): Promise<string> {
  const { statusCode, body } = await request(`http://${address}${METRICS_PATH}`, {
    signal: AbortSignal.timeout(READ_MS_MAX),
  });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`The exporter answered ${statusCode}.`);
  return text;
}

/**
 * Installs the SDK's runtime with its exporter at the given address, or at a free one of loopback.
 * @returns the address
 * @throws Error when the address can't be listened on
 */
export async function installWith(given: string | undefined, install: (address: string) => void): Promise<string> {
  for (let left = FREE_PORTS_TRIED_MAX; ; left -= 1) {
    const address = given ?? (await freeLoopbackAddress());
    try {
      install(address);
      return address;
    } catch (error) {
      // Another process may have taken the free port meanwhile.
      if (given !== undefined || left <= 1) throw error;
    }
  }
}

/** A loopback address that is free now. The SDK's exporter can't be told to find one. */
async function freeLoopbackAddress(): Promise<string> {
  const server = createServer();
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const port = portOf(server);
  server.close();
  await once(server, 'close');
  return `127.0.0.1:${port}`;
}
