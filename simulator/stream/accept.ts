// Server side of the stream: takes HTTP connections that ask to be upgraded to it.
import type { IncomingMessage, Server } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { MoverError } from '../../contracts/errors.js';
import { STREAM_PATH, STREAM_PROTOCOL } from '../../contracts/replica-site-api.js';
import { checkBearer } from '../control-server/bearer.js';
import { refuseOnSocket } from '../control-server/raw-problem.js';
import { type ConnectionOptions, FrameConnection } from './connection.js';

export interface AcceptOptions {
  /** Bearer token the upgrade must carry; none is asked for when absent. */
  readonly token?: string | undefined;
  /** Called for each stream; frames wait until it is started. */
  readonly onStream: (connection: FrameConnection) => void;
  readonly connection?: ConnectionOptions | undefined;
}

/**
 * Streams come in through `server` from now on; everything else that asks for an upgrade is refused
 * with problem+json.
 */
export function acceptStreams(server: Server, options: AcceptOptions): void {
  server.on('upgrade', streamUpgrade(options));
}

/** The same for a control server's `onUpgrade`. */
export function streamUpgrade({
  token,
  onStream,
  connection,
}: AcceptOptions): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  return (request, socket, head) => {
    try {
      checkUpgrade(request, token);
    } catch (error) {
      refuseOnSocket(
        socket,
        error instanceof MoverError
          ? error
          : new MoverError('INTERNAL', 'The upgrade could not be dealt with.', { cause: error }),
      );
      return;
    }
    if (socket instanceof Socket) socket.setNoDelay(true);
    if (head.length > 0) socket.unshift(head);
    const stream = new FrameConnection(socket, connection);
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${STREAM_PROTOCOL}\r\n\r\n`);
    onStream(stream);
  };
}

/** @throws MoverError UNAUTHORIZED, ROUTE_NOT_FOUND or INVALID_REQUEST. */
function checkUpgrade(request: IncomingMessage, token: string | undefined): void {
  checkBearer(token, request.headers.authorization);
  const [path] = (request.url ?? '').split('?', 1);
  if (request.method !== 'GET' || path !== STREAM_PATH) {
    throw new MoverError(
      'ROUTE_NOT_FOUND',
      `There is no upgrade of ${request.method} ${path}; streams are at GET ${STREAM_PATH}.`,
    );
  }
  if (request.headers.upgrade?.toLowerCase() !== STREAM_PROTOCOL) {
    throw new MoverError(
      'INVALID_REQUEST',
      `The upgrade is to "${request.headers.upgrade}"; "${STREAM_PROTOCOL}" is spoken here.`,
    );
  }
}
