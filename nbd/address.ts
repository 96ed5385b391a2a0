// Where an NBD server listens and a client connects.

export type NbdAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** Text for logs and error messages: "host:port" or the socket's path. */
export function describeAddress(address: NbdAddress): string {
  return 'path' in address ? address.path : `${address.host}:${address.port}`;
}
