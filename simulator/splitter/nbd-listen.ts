// Where guests reach the splitter: a TCP port, and a unix socket in the data folder for guests of
// the same host.
import { resolve } from 'node:path';
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import type { ReadyLine } from '../process/ready-line.js';
import type { NbdAddress } from '../../nbd/address.js';

const SOCKET_NAME = 'nbd.sock';
/** Longest path of a unix socket, in bytes: 108 with the final zero on Linux, 104 elsewhere. */
const SOCKET_PATH_BYTES_MAX = 103;

/**
 * The addresses to listen on. Leaves the socket out, with a warning, when its path is too long for
 * the system.
 */
export function nbdAddresses(
  tcp: { readonly host: string; readonly port: number },
  dataFolder: string,
  log: Logger,
): NbdAddress[] {
  const path = resolve(dataFolder, SOCKET_NAME);
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return [tcp, { path }];
  log.warn(
    { path, bytesMax: SOCKET_PATH_BYTES_MAX },
    'no unix socket for NBD: its path is too long. Guests of this host use TCP. For a socket, choose a data folder with a shorter path',
  );
  return [tcp];
}

/** The addresses in use, as the ready line gives them. */
export function describeNbd(addresses: readonly NbdAddress[]): NonNullable<ReadyLine['nbd']> {
  const tcp = addresses.find((address) => 'host' in address);
  const unix = addresses.find((address) => 'path' in address);
  if (tcp === undefined) throw new MoverError('INTERNAL', 'NBD is not served over TCP.');
  return { host: tcp.host, port: tcp.port, ...(unix === undefined ? {} : { socket: unix.path }) };
}
