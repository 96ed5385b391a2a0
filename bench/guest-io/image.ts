// Disk images for the peers: sparse files.
import { open } from 'node:fs/promises';

export async function createImage(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.truncate(sizeBytes);
  } finally {
    await file.close();
  }
}
