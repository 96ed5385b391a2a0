// Starts NBD servers on free ports for one test file and stops them, clients first, after each
// test.
import { afterEach } from 'vitest';
import type { NbdAddress } from '../../nbd/address.js';
import type { BlockDevice } from '../../nbd/block-device.js';
import { connectNbd } from '../../nbd/client.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import { createNbdServer } from '../../nbd/server.js';
import type { NbdServer, NbdServerOptions } from '../../nbd/server.js';
import { directoryOf } from './nbd-memory-device.js';

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** Runs after the test, in reverse order of registration. */
export function afterThisTest(cleanup: () => Promise<void> | void): void {
  cleanups.push(cleanup);
}

export interface Served {
  readonly server: NbdServer;
  readonly address: NbdAddress;
}

export async function serve(
  devices: Readonly<Record<string, BlockDevice>>,
  options: Partial<NbdServerOptions> = {},
): Promise<Served> {
  const server = createNbdServer({
    exports: directoryOf(devices),
    listen: [{ host: '127.0.0.1', port: 0 }],
    ...options,
  });
  afterThisTest(() => server.stop());
  const [address] = await server.start();
  if (address === undefined) throw new Error('the server has no address');
  return { server, address };
}

export async function open(address: NbdAddress, name: string): Promise<NbdClient> {
  const client = await connectNbd(address, name);
  afterThisTest(() => client.disconnect());
  return client;
}
