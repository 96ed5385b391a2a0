// A problem+json answer on a bare socket, for refusals outside ordinary HTTP handling.
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type MoverError, toProblem } from '../../contracts/errors.js';

/** Answers and closes the connection. */
export function refuseOnSocket(socket: Duplex, error: MoverError): void {
  const problem = toProblem(error);
  const body = Buffer.from(JSON.stringify(problem));
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${body.length}`,
    ...(error.code === 'UNAUTHORIZED' ? ['WWW-Authenticate: Bearer'] : []),
  ];
  // A refused client may hang up before it has read the reason.
  socket.on('error', () => socket.destroy());
  socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]), () => socket.destroy());
}
