// Tells refusals of the disk, which may pass, from errors that break a journal. A refused write
// leaves everything as it was.
import { JournalError } from '../terms/errors.js';

/**
 * Calls whose failure breaks the journal: what is on stable storage is unknown until everything is
 * read anew.
 */
const SYNC_CALLS: ReadonlySet<unknown> = new Set(['fsync', 'fdatasync']);

/** Whether it is a system error about a file, such as ENOSPC or EIO, but not of a sync. */
export function isRefusal(error: unknown): error is Error & { readonly code: string; readonly path?: string } {
  if (!(error instanceof Error) || error instanceof JournalError) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && syscall !== undefined && !SYNC_CALLS.has(syscall);
}

/** The error for a refusal: the journal goes on and retries. */
export function stalledBy(error: Error & { readonly path?: string }): JournalError {
  return new JournalError('STALLED', `a file can't be used now: ${error.message}`, { cause: error });
}
