// Finds TCP ports for servers that can't choose a free one themselves, and checks whether they
// listen.
import { connect, createServer } from 'node:net';

const LOOPBACK = '127.0.0.1';

/** A loopback port that was free a moment ago. Be ready to retry: another process may take it. */
export async function freePort(): Promise<number> {
  const port = await listenOnce(0);
  if (port === undefined) throw new Error('No free TCP port on loopback.');
  return port;
}

/** Whether nothing listens on the port on loopback. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await listenOnce(port)) !== undefined;
}

/** Whether something accepts connections on the port on loopback. */
export async function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: LOOPBACK });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Listens and stops. @returns the port it used; undefined if the port was taken */
async function listenOnce(port: number): Promise<number | undefined> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined));
    });
  });
}
