// Makes lmdb's lock file whole. lmdb maps the file into memory, and on a full disk a page without
// room would end the process with SIGBUS.
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { storageFailure } from './storage-failure.js';

/** Twice the size that lmdb makes; the rest serves more readers. */
const LOCK_FILE_BYTES = 16 * 1024;

/**
 * Gives every page of the lock file its room on the disk. Takes none for a page that has it. Call
 * it before the store is opened, in the only process that uses the store.
 * @throws MoverError STORAGE_FULL, STORAGE_FAILED
 */
export function prepareLockFile(directory: string): void {
  const path = join(directory, 'lock.mdb');
  try {
    const file = openOrMake(path);
    try {
      const { size } = fstatSync(file);
      const bytes = Buffer.alloc(size === 0 ? LOCK_FILE_BYTES : size);
      readSync(file, bytes, 0, bytes.length, 0);
      for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done, bytes.length - done, done);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw storageFailure(path, cause);
  }
}

function openOrMake(path: string): number {
  try {
    return openSync(path, 'r+');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    return openSync(path, 'wx+', 0o644);
  }
}
