// Syncs the names of folders at a start: an earlier life may have been killed after making them and
// before syncing them.
import { closeSync, fsyncSync, openSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/**
 * Errors that mean the folder isn't this process's: what it may not list it didn't make, and a
 * read-only file system has nothing to sync.
 */
const NOT_OURS: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EROFS', 'EINVAL']);

/**
 * Syncs a data folder, the folders in it and those above it; an earlier life may have made any of
 * them. For processes that promise to survive a power cut. Call it once their stores are open.
 * @throws the system's error
 */
export function syncFolderNames(dataFolder: string): void {
  for (const entry of readdirSync(dataFolder, { withFileTypes: true }))
    if (entry.isDirectory()) syncFolder(join(dataFolder, entry.name));
  const own = resolve(dataFolder);
  syncFolder(own);
  for (let folder = dirname(own); ; folder = dirname(folder)) {
    if (!syncIfAllowed(folder) || folder === dirname(folder)) return;
  }
}

/**
 * Syncs a folder: names made, renamed and removed in it survive a power cut when this returns.
 * @throws the system's error
 */
export function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function syncIfAllowed(folder: string): boolean {
  try {
    syncFolder(folder);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && NOT_OURS.has(error.code)) return false;
    throw error;
  }
}
