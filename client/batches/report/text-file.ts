// Writes streamed text to a file. The file appears under its name only when it is complete.
import { dirname } from 'node:path';
import { makeFolder } from '../../images/make-folder.js';
import { SparseFile } from '../../images/sparse-file.js';

/** Size of the write buffer, bytes: a multiple of the file writer's grain. */
const PART_BYTES = 256 * 1024;

/**
 * Writes a file. @throws MoverError INVALID_REQUEST when the file exists and may not be replaced,
 * or the place can't be used;
 * what `parts` throws; the system's error
 */
export async function writeTextFile(path: string, parts: AsyncIterable<string>, overwrite: boolean): Promise<void> {
  await makeFolder(dirname(path));
  const file = await SparseFile.create(path, 0);
  try {
    let offset = 0;
    let waiting: Buffer[] = [];
    let bytes = 0;
    for await (const part of parts) {
      const data = Buffer.from(part);
      waiting.push(data);
      bytes += data.length;
      if (bytes < PART_BYTES) continue;
      const all = Buffer.concat(waiting, bytes);
      const whole = bytes - (bytes % PART_BYTES);
      await file.write(offset, all.subarray(0, whole));
      offset += whole;
      bytes -= whole;
      waiting = [all.subarray(whole)];
    }
    await file.write(offset, Buffer.concat(waiting, bytes));
    await file.publish(overwrite);
  } catch (error) {
    await file.discard();
    throw error;
  }
}
