// Where a process of the estate serves NBD: by its unix socket if it has one, which is faster, else
// by TCP.
import type { NbdAddress } from '../nbd/address.js';
import type { EstateProcess } from './estate-process.js';

/** @throws Error when the process serves no NBD, or is not there */
export async function nbdAddressOf(process: EstateProcess): Promise<NbdAddress> {
  const { nbd } = await process.waitReady();
  if (nbd === undefined) throw new Error(`Process ${process.id} serves no NBD.`);
  return nbd.socket === undefined ? { host: nbd.host, port: nbd.port } : { path: nbd.socket };
}
