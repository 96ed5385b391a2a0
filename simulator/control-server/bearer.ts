// Authentication: one shared token; none is needed where only this machine can connect.
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { MoverError } from '../../contracts/errors.js';

/**
 * Checks an Authorization header against the token. Digests are compared, so that the time taken
 * reveals neither length nor content.
 * @throws MoverError UNAUTHORIZED when a token is set and the header doesn't carry it
 */
export function checkBearer(token: string | undefined, authorization: string | undefined): void {
  if (token === undefined) return;
  const [, given] = /^Bearer +(\S+) *$/i.exec(authorization ?? '') ?? [];
  if (given !== undefined && timingSafeEqual(digest(given), digest(token))) return;
  const message =
    given === undefined
      ? 'No bearer token was sent.'
      : 'The bearer token is not the one this process was started with.';
  throw new MoverError('UNAUTHORIZED', message);
}

/** Whether only processes of this machine can reach a server that listens on `host`. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith('127.');
  if (isIPv6(host)) return host === '::1';
  return host === 'localhost';
}

/**
 * Refuses to listen where other machines could connect without a token.
 * @throws MoverError INVALID_REQUEST
 */
export function requireTokenBeyondLoopback(host: string, token: string | undefined): void {
  if (isLoopback(host) || (token !== undefined && token !== '')) return;
  const message = `listening on ${host} would let anyone on the network in; set VOLUME_MOVER_TOKEN, or listen on 127.0.0.1`;
  throw new MoverError('INVALID_REQUEST', `A token is required: ${message}.`, {
    reasons: [{ code: 'INVALID_REQUEST', subject: 'token', message }],
  });
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
