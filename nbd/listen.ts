// Binds servers to addresses; replaces the unix socket file that a killed process left behind.
import { unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Server } from 'node:net';
import type { NbdAddress } from './address.js';

/**
 * Binds and resolves to the address in use; port 0 becomes the port that the system chose.
 *
 * @throws the system's error, most often EADDRINUSE
 */
export async function listen(server: Server, address: NbdAddress): Promise<NbdAddress> {
  if ('path' in address) {
    await listenOnPath(server, address.path);
    return address;
  }
  await bind(server, address);
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('not bound to a port');
  return { host: bound.address, port: bound.port };
}

async function listenOnPath(server: Server, path: string): Promise<void> {
  try {
    await bind(server, { path });
  } catch (error) {
    // A killed process leaves its socket file behind; nothing listens there.
    if (!(hasCode(error, 'EADDRINUSE') && (await isAbandoned(path)))) throw error;
    await unlink(path);
    await bind(server, { path });
  }
}

function bind(server: Server, address: NbdAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function isAbandoned(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error) => resolve(hasCode(error, 'ECONNREFUSED')));
  });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
