// The lock of a data folder: one process at a time owns it. The kernel holds the lock and frees it
// when the owner dies, so it also holds between containers, whose process ids mean nothing to each
// other.
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { tryLock } from 'fs-native-extensions';
import { MoverError } from '../../contracts/errors.js';

export interface FolderLock {
  /** Safe to call twice. */
  readonly release: () => void;
}

const LOCK_FILE = 'owner.lock';

/**
 * Makes the folder if it is missing and locks it.
 * @throws MoverError INVALID_REQUEST when a living process owns it, or its file system has no locks
 */
export function lockDataFolder(folder: string): FolderLock {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, LOCK_FILE);
  const fd = openSync(path, 'a+');
  if (!isGranted(fd, folder)) {
    closeSync(fd);
    const message = `The data folder ${folder} is in use by ${ownerIn(path)}. Stop that process, or give this one another folder (VOLUME_MOVER_DATA).`;
    throw new MoverError('INVALID_REQUEST', message);
  }
  nameOwner(fd);
  let isHeld = true;
  return {
    release: () => {
      if (isHeld) closeSync(fd);
      isHeld = false;
    },
  };
}

function isGranted(fd: number, folder: string): boolean {
  try {
    return tryLock(fd);
  } catch (cause) {
    closeSync(fd);
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `The data folder ${folder} cannot be locked: ${why}. Use a file system that has locks.`;
    throw new MoverError('INVALID_REQUEST', message, { cause });
  }
}

/** Writes who owns the folder, for people. A full disk must not prevent a start. */
function nameOwner(fd: number): void {
  try {
    ftruncateSync(fd);
    writeSync(fd, `process ${process.pid} on ${hostname()}`);
  } catch {
    // The lock holds without the name.
  }
}

function ownerIn(path: string): string {
  return readFileSync(path, 'utf8') || 'another process';
}
