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
  const open = new Set<Socket>();
  const asking = new WeakSet<Socket>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  server.on('request', ({ socket }: IncomingMessage) => asking.add(socket));
  const destroy = (which: (socket: Socket) => boolean): void => {
    for (const socket of open) if (which(socket)) socket.destroy();
  };
  return {
    destroyStrays: () => destroy((socket) => !asking.has(socket)),
    destroyAll: () => destroy(() => true),
  };
}
