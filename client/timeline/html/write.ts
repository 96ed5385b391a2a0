// Writes a timeline's page to a file, which appears under its name only when it is complete.
import { dirname } from 'node:path';
import { makeFolder } from '../../images/make-folder.js';
import { SparseFile } from '../../images/sparse-file.js';
import { timelinePage } from './page.js';
import type { TimelinePageInput } from './views.js';

/**
 * Writes the page. @throws MoverError INVALID_REQUEST when the file exists and may not be replaced,
 * or the place can't be used;
 * the system's error
 */
export async function writeTimelinePage(path: string, input: TimelinePageInput, overwrite: boolean): Promise<void> {
  const page = Buffer.from(timelinePage(input));
  await makeFolder(dirname(path));
  const file = await SparseFile.create(path, page.length);
  try {
    await file.write(0, page);
    await file.publish(overwrite);
  } catch (error) {
    await file.discard();
    throw error;
  }
}
