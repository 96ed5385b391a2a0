// Tells what a disk refused, and may take later, from what breaks a journal: a refused write leaves
// everything as it was.
import { JournalError } from '../terms/errors.js';

/**
 * After a failed one it isn't known what is on stable storage: only reading everything anew tells.
 */
const SYNC_CALLS: ReadonlySet<unknown> = new Set(['fsync', 'fdatasync']);

/** An error of the system about a file, such as ENOSPC or EIO; not of a sync. */
export function isRefusal(error: unknown): error is Error & { readonly code: string; readonly path?: string } {
  if (!(error instanceof Error) || error instanceof JournalError) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && syscall !== undefined && !SYNC_CALLS.has(syscall);
}

/** The journal goes on; what was refused is tried again. */
export function stalledBy(error: Error & { readonly path?: string }): JournalError {
  return new JournalError('STALLED', `a file can't be used now: ${error.message}`, { cause: error });
}
