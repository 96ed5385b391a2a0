// Turns a connection into one over TLS, in the middle of the handshake (NBD_OPT_STARTTLS). Both
// ends show a certificate and check the other's.
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { Certificates } from './certificates.js';
import { NbdDisconnected } from './errors.js';

const MIN_VERSION = 'TLSv1.2';

/**
 * The server's end. Resolves once the client's certificate is checked.
 * @throws NbdDisconnected when it isn't signed by the authority, or the client leaves
 */
export function serveTls(socket: Socket, certificates: Certificates): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    // Only a TLS server refuses clients' certificates, so each connection gets one of its own.
    const server = createServer({
      ...certificates,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: MIN_VERSION,
    });
    const failed = (cause?: Error): void => {
      reject(new NbdDisconnected('TLS was not agreed on', cause === undefined ? {} : { cause }));
    };
    server.once('secureConnection', (secure) => {
      socket.off('close', closed);
      resolve(secure);
    });
    server.once('tlsClientError', failed);
    const closed = (): void => failed();
    socket.once('close', closed);
    server.emit('connection', socket);
  });
}

/**
 * The client's end. Resolves once the server's certificate is checked, for the host's name.
 * @throws the error of the check; NbdDisconnected when the server leaves
 */
export function useTls(socket: Socket, certificates: Certificates, host: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secure = connect({ ...certificates, socket, host, minVersion: MIN_VERSION });
    secure.once('secureConnect', () => {
      secure.off('error', reject).off('close', closed);
      resolve(secure);
    });
    const closed = (): void => reject(new NbdDisconnected('the server closed the connection: TLS was not agreed on'));
    secure.once('error', reject).once('close', closed);
  });
}
