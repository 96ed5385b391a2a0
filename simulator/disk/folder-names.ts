// Brings the names of folders to stable storage at a start: a life that was killed may have made
// them and not synced them.
import { closeSync, fsyncSync, openSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/**
 * What the process may not even list, it did not make; a read-only file system has nothing to sync.
 */
const NOT_OURS: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EROFS', 'EINVAL']);

/**
 * Syncs a data folder, the folders in it, and those above it, any of which an earlier life may have
 * made. For processes that promise to survive a power cut; to be called once their stores are open.
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
 * Names made, renamed and removed in the folder survive a power cut when it returns.
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
