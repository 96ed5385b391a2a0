// Addresses that only this machine can reach.
import { isIPv4, isIPv6 } from 'node:net';

/** Whether only processes of this machine reach a server that listens on `host`. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith('127.');
  if (isIPv6(host)) return host === '::1';
  return host === 'localhost';
}
