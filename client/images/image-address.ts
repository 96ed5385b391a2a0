// Where an appliance serves images over NBD: the address, and URIs for disk tools.
import type { AppliancePort } from '../../control/ports.js';

export interface ImageAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * The NBD address of an appliance. In a container it listens on every interface; then the host of
 * its control URL is used.
 * @throws MoverError UNREACHABLE
 */
export async function imageAddressOf({ url, calls }: AppliancePort): Promise<ImageAddress> {
  const { nbd } = await calls.describe({});
  const onEveryInterface = nbd.host === '0.0.0.0' || nbd.host === '::';
  return { host: onEveryInterface ? new URL(url).hostname : nbd.host, port: nbd.port };
}

/** An export's URI. @example "nbd://127.0.0.1:10809/access-3f2a9c1b/vm-1-disk-0" */
export function imageUri({ host, port }: ImageAddress, exportName: string): string {
  const named = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  return `nbd://${named}:${port}/${exportName}`;
}
