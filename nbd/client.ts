// The NBD client's entry points: open an export, list exports.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { describeAddress } from './address.js';
import type { NbdAddress } from './address.js';
import { ClientHandshake } from './client-handshake.js';
import { ClientSession } from './client-session.js';
import { NbdDisconnected } from './errors.js';
import { TCP_KEEP_ALIVE_MS } from './limits.js';
import type { NbdClient } from './nbd-client.js';

const TCP_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS };

export interface ConnectOptions {
  /** Aborting while connecting rejects with the signal's reason; afterwards it has no effect. */
  readonly signal?: AbortSignal;
}

/**
 * Connects and opens an export.
 *
 * @throws NbdRefused when the server won't open it; NbdDisconnected when it closes instead;
 * NbdProtocolError when it doesn't speak fixed newstyle NBD; the system's error when connecting
 * fails; the signal's reason
 */
export async function connectNbd(
  address: NbdAddress,
  exportName: string,
  options: ConnectOptions = {},
): Promise<NbdClient> {
  return negotiate(address, options, async (handshake, socket) => {
    const negotiated = await handshake.go(exportName);
    return new ClientSession(socket, negotiated);
  });
}

/** Lists the names of a server's exports. @throws as `connectNbd` */
export async function listNbdExports(address: NbdAddress, options: ConnectOptions = {}): Promise<readonly string[]> {
  return negotiate(address, options, async (handshake, socket) => {
    const names = await handshake.list();
    handshake.abort();
    socket.destroySoon();
    return names;
  });
}

async function negotiate<T>(
  address: NbdAddress,
  { signal }: ConnectOptions,
  dialogue: (handshake: ClientHandshake, socket: Socket) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const socket = connect({ ...address, ...TCP_OPTIONS });
  const abort = (): void => void socket.destroy();
  signal?.addEventListener('abort', abort, { once: true });
  let failure: Error | undefined;
  socket.on('error', (error) => {
    failure = error;
  });
  try {
    const handshake = new ClientHandshake(socket);
    await handshake.greet();
    return await dialogue(handshake, socket);
  } catch (error) {
    socket.destroy();
    signal?.throwIfAborted();
    if (error instanceof NbdDisconnected) throw failure ?? closedBy(address, error);
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

function closedBy(address: NbdAddress, cause: Error): Error {
  return new NbdDisconnected(`${describeAddress(address)} closed the connection during the handshake`, {
    cause,
  });
}
