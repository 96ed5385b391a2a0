// How much room a disk has left: what a full one is told about, and asked before anything is tried
// again.
import { statfsSync } from 'node:fs';

/**
 * Bytes that may still be written to the disk of the folder; undefined if the system doesn't tell.
 */
export function freeBytes(folder: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
