// Where a process of the estate serves NBD: at its unix socket if it has one (faster), otherwise by
// TCP.
import type { NbdAddress } from '../nbd/address.js';
import type { EstateProcess } from './estate-process.js';

/** The process's NBD address. @throws Error when the process serves no NBD or isn't ready */
export async function nbdAddressOf(process: EstateProcess): Promise<NbdAddress> {
  const { nbd } = await process.waitReady();
  if (nbd === undefined) throw new Error(`Process ${process.id} serves no NBD.`);
  return nbd.socket === undefined ? { host: nbd.host, port: nbd.port } : { path: nbd.socket };
}
