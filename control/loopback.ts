// What an address to listen on means for those who connect.
import { isIPv4, isIPv6 } from 'node:net';

/** Whether only processes of this machine reach a server that listens on `host`. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith('127.');
  if (isIPv6(host)) return host === '::1';
  return host === 'localhost';
}

/**
 * The host to connect to, for a server that listens on `host`. One in a container listens on every
 * interface: then the host of its control URL is used.
 */
export function hostToReach(host: string, controlUrl: string): string {
  return host === '0.0.0.0' || host === '::' ? new URL(controlUrl).hostname : host;
}
