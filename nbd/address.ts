// Where an NBD server listens and a client connects.

export type NbdAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** Text for logs and error messages: "host:port" or the socket's path. */
export function describeAddress(address: NbdAddress): string {
  return 'path' in address ? address.path : `${address.host}:${address.port}`;
}

/** Whether the other end is on the same host: a unix socket, or a loopback address. */
export function isLocal({ remoteAddress }: { readonly remoteAddress?: string | undefined }): boolean {
  if (remoteAddress === undefined) return true;
  const address = remoteAddress.startsWith('::ffff:') ? remoteAddress.slice('::ffff:'.length) : remoteAddress;
  return address === '::1' || address.startsWith('127.');
}
