// Who may call: one shared token, and none needed where only this machine can connect.
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { MoverError } from '../../contracts/errors.js';

/**
 * Whether an Authorization header carries the token. Compared as digests, so that the time taken
 * tells neither length nor content.
 * @throws MoverError UNAUTHORIZED when a token is set and the header does not carry it.
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

/** Whether only processes of the same machine can reach a server that listens on `host`. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith('127.');
  if (isIPv6(host)) return host === '::1';
  return host === 'localhost';
}

/** @throws MoverError INVALID_REQUEST for a server that others could reach without a token. */
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
