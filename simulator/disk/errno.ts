// The error that a guest sees when its disk's files fail.
import { NbdError, type NbdErrorCode } from '../../nbd/errors.js';

const CODES: Readonly<Record<string, NbdErrorCode>> = {
  ENOSPC: 'ENOSPC',
  EDQUOT: 'ENOSPC',
  EFBIG: 'ENOSPC',
  ENOMEM: 'ENOMEM',
  EPERM: 'EPERM',
  EACCES: 'EPERM',
  EROFS: 'EPERM',
};

/**
 * Converts a file operation's error for an NBD client: EIO unless the protocol has a better one.
 */
export function nbdErrorOf(error: unknown): NbdError {
  if (error instanceof NbdError) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const message = error instanceof Error ? error.message : String(error);
  return new NbdError(CODES[code] ?? 'EIO', message, { cause: error });
}
