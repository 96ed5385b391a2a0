// The server side of the stream: accepts HTTP connections that ask to be upgraded to it. The
// control server has looked at who calls before.
import type { IncomingMessage, Server } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { MoverError } from '../../contracts/errors.js';
import { STREAM_PATH, STREAM_PROTOCOL } from '../../contracts/replica-site-api.js';
import { refuseOnSocket } from '../control-server/raw-problem.js';
import { type ConnectionOptions, FrameConnection } from './connection.js';

export interface AcceptOptions {
  /** Called for each stream. Frames wait until the stream is started. */
  readonly onStream: (connection: FrameConnection) => void;
  readonly connection?: ConnectionOptions | undefined;
}

/** Accepts streams through `server` from now on. Refuses other upgrades with problem+json. */
export function acceptStreams(server: Server, options: AcceptOptions): void {
  server.on('upgrade', streamUpgrade(options));
}

/** An upgrade handler for a control server's `onUpgrade`; it does the same as `acceptStreams`. */
export function streamUpgrade({
  onStream,
  connection,
}: AcceptOptions): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  return (request, socket, head) => {
    try {
      checkUpgrade(request);
    } catch (error) {
      refuseOnSocket(
        socket,
        error instanceof MoverError
          ? error
          : new MoverError('INTERNAL', 'The upgrade failed for an unforeseen reason.', { cause: error }),
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

/** Checks an upgrade request. @throws MoverError ROUTE_NOT_FOUND, INVALID_REQUEST */
function checkUpgrade(request: IncomingMessage): void {
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
      `The upgrade asks for "${request.headers.upgrade}"; this path speaks "${STREAM_PROTOCOL}".`,
    );
  }
}
