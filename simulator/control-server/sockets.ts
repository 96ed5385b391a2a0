// Tracks every open connection of an HTTP server: closing the server alone leaves open those that
// sent no request yet and those that were upgraded.
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

export interface OpenSockets {
  /** Ends connections without an ordinary request: silent and upgraded ones. */
  readonly destroyStrays: () => void;
  readonly destroyAll: () => void;
}

export function trackSockets(server: Server): OpenSockets {
  /** The far end of each. Requests are matched by it: with TLS their socket is another object. */
  const open = new Map<Socket, string>();
  const asking = new Set<string>();
  server.on('connection', (socket) => {
    const name = nameOf(socket);
    open.set(socket, name);
    socket.once('close', () => {
      open.delete(socket);
      asking.delete(name);
    });
  });
  server.on('request', ({ socket }: IncomingMessage) => asking.add(nameOf(socket)));
  const destroy = (which: (name: string) => boolean): void => {
    for (const [socket, name] of open) if (which(name)) socket.destroy();
  };
  return {
    destroyStrays: () => destroy((name) => !asking.has(name)),
    destroyAll: () => destroy(() => true),
  };
}

/** The far end of a connection: no two open connections to one address have the same. */
function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
