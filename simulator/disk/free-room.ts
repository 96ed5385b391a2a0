// The free space of a disk: reported when it is full, and checked before a retry.
import { statfsSync } from 'node:fs';

/** Bytes that can still be written to the folder's disk; undefined if the system doesn't tell. */
export function freeBytes(folder: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
