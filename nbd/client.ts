// The NBD client's entry points: open an export, list exports.
import { connect } from 'node:net';
import { describeAddress } from './address.js';
import type { NbdAddress } from './address.js';
import type { Certificates } from './certificates.js';
import { ClientHandshake } from './client-handshake.js';
import { ClientSession } from './client-session.js';
import { NbdDisconnected } from './errors.js';
import { TCP_KEEP_ALIVE_MS } from './limits.js';
import type { NbdClient } from './nbd-client.js';

const TCP_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS };

export interface ConnectOptions {
  /** Aborting while connecting rejects with the signal's reason; afterwards it has no effect. */
  readonly signal?: AbortSignal;
  /**
   * Names of contexts to ask for, for block status. Those that the server doesn't have are left
   * out; so are all if it doesn't speak structured replies.
   */
  readonly contexts?: readonly string[];
  /** The client's side of TLS. When given, an export is named and opened over TLS only. */
  readonly certificates?: Certificates | undefined;
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
  return negotiate(address, options, async (handshake) => {
    const negotiated = await handshake.go(exportName, options.contexts);
    return new ClientSession(handshake.socket, negotiated);
  });
}

/** Lists the names of a server's exports. @throws as `connectNbd` */
export async function listNbdExports(address: NbdAddress, options: ConnectOptions = {}): Promise<readonly string[]> {
  return negotiate(address, options, async (handshake) => {
    const names = await handshake.list();
    handshake.abort();
    handshake.socket.destroySoon();
    return names;
  });
}

async function negotiate<T>(
  address: NbdAddress,
  { signal, certificates }: ConnectOptions,
  dialogue: (handshake: ClientHandshake) => Promise<T>,
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
    if (certificates !== undefined) {
      await handshake.startTls(certificates, 'host' in address ? address.host : 'localhost');
    }
    return await dialogue(handshake);
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
