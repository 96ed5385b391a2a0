// A gRPC server that answers a connecting client of Temporal and notes who asked: it checks the API
// key and, over TLS, the client's certificate.
import { createSecureServer, createServer, type Http2SecureServer, type Http2Server } from 'node:http2';
import { TLSSocket } from 'node:tls';

export interface StandInOptions {
  /** Key that a call must show, if any. */
  readonly apiKey?: string;
  /** Code of gRPC for each call but the connection's own. Default: 0. */
  readonly code?: number;
  /** The end of the only call that `code` is for. Default: every call. */
  readonly codeFor?: string;
  /** Certificate, key and authority, in PEM; callers must then show a certificate. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
}

export interface StandInCall {
  readonly authorization: string | undefined;
  readonly certificate: string | undefined;
}

const OK = '0';
const UNAUTHENTICATED = '16';
/** A gRPC frame with an empty message. */
const EMPTY = Buffer.alloc(5);

export class TemporalStandIn {
  readonly calls: StandInCall[] = [];
  readonly #server: Http2Server | Http2SecureServer;

  constructor({ apiKey, code = 0, codeFor = '', tls }: StandInOptions = {}) {
    this.#server =
      tls === undefined ? createServer() : createSecureServer({ ...tls, requestCert: true, rejectUnauthorized: true });
    this.#server.on('stream', (stream, headers) => {
      const { authorization } = headers;
      const socket: unknown = stream.session?.socket;
      const isTls = socket instanceof TLSSocket;
      this.calls.push({
        authorization,
        certificate: isTls ? String(socket.getPeerCertificate().subject.CN) : undefined,
      });
      const isLetIn = apiKey === undefined || authorization === `Bearer ${apiKey}`;
      const head = { ':status': 200, 'content-type': 'application/grpc' };
      if (!isLetIn) {
        stream.respond({ ...head, 'grpc-status': UNAUTHENTICATED, 'grpc-message': 'unknown key' }, { endStream: true });
        return;
      }
      const path = String(headers[':path']);
      if (code !== 0 && !path.endsWith('/GetSystemInfo') && path.endsWith(codeFor)) {
        stream.respond({ ...head, 'grpc-status': String(code), 'grpc-message': 'no' }, { endStream: true });
        return;
      }
      stream.respond(head, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': OK }));
      stream.end(EMPTY);
    });
  }

  /** Starts it. @returns its port on 127.0.0.1 */
  async start(): Promise<number> {
    await new Promise<void>((resolve) => void this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('It listens on no port.');
    return address.port;
  }

  stop(): void {
    this.#server.close();
  }
}
