// What every small HTTP server of ours needs: the port it took, and an end at once.
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { Server as TcpServer } from 'node:net';

/** The TCP port that a server listens on; 0 before it does. */
export function portOf(server: TcpServer): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Ends a server and its connections. Safe to call twice. */
export async function closeAtOnce(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  if (server.listening) await once(server, 'close');
}
