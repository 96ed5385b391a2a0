// Where the images of an appliance are reached over NBD, as an address and as the URI that disk
// tools take.
import type { AppliancePort } from '../../control/ports.js';

export interface ImageAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * In a container an appliance listens on every interface; the host of its control URL is the one to
 * use then.
 * @throws MoverError UNREACHABLE
 */
export async function imageAddressOf({ url, calls }: AppliancePort): Promise<ImageAddress> {
  const { nbd } = await calls.describe({});
  const everywhere = nbd.host === '0.0.0.0' || nbd.host === '::';
  return { host: everywhere ? new URL(url).hostname : nbd.host, port: nbd.port };
}

/** @example "nbd://127.0.0.1:10809/access-3f2a9c1b/vm-1-disk-0" */
export function imageUri({ host, port }: ImageAddress, exportName: string): string {
  const named = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  return `nbd://${named}:${port}/${exportName}`;
}
