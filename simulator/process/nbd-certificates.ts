// The certificates that a process serves NBD with, from the folder that its environment names.
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import { isLocal } from '../../nbd/address.js';
import { CertificateFolder } from '../../nbd/certificates.js';

/**
 * Reads the folder; undefined if none is named. Warns if clients of other hosts would need it.
 * @param host where the process listens
 * @throws MoverError INVALID_REQUEST for a file that can't be read
 */
export function nbdCertificates(folder: string | undefined, host: string, log: Logger): CertificateFolder | undefined {
  if (folder === undefined) {
    if (!isLocal({ remoteAddress: host }) && host !== 'localhost')
      log.warn(
        { host },
        'NBD serves clients of this host only, because those of other hosts need TLS: set VOLUME_MOVER_NBD_TLS',
      );
    return undefined;
  }
  try {
    return new CertificateFolder(folder, 'server', (error) => {
      log.warn({ err: error, folder }, 'changed NBD certificates could not be read: the previous ones stay in use');
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MoverError('INVALID_REQUEST', `VOLUME_MOVER_NBD_TLS: ${why}`, { cause });
  }
}
