// Where an appliance serves images over NBD: the address, and URIs for disk tools.
import { hostToReach } from '../../control/loopback.js';
import type { AppliancePort } from '../../control/ports.js';

export interface ImageAddress {
  readonly host: string;
  readonly port: number;
}

/** The NBD address of an appliance. @throws MoverError UNREACHABLE */
export async function imageAddressOf({ url, calls }: AppliancePort): Promise<ImageAddress> {
  const { nbd } = await calls.describe({});
  return { host: hostToReach(nbd.host, url), port: nbd.port };
}

/** An export's URI. @example "nbd://127.0.0.1:10809/access-3f2a9c1b/vm-1-disk-0" */
export function imageUri({ host, port }: ImageAddress, exportName: string): string {
  const named = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  return `nbd://${named}:${port}/${exportName}`;
}
