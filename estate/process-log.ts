// The log file of an estate's process: the process writes to it itself, so that nothing is lost when the launcher dies.
import { closeSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';

/** How much of a log's end is read to show its last lines, bytes. */
const TAIL_BYTES = 16 * 1024;
/** How many of a log's last lines a failure shows. */
const TAIL_LINES = 12;

/** Opens the file to append to, for a child's standard error. */
export function openLog(path: string): { readonly fd: number; readonly close: () => void } {
  const fd = openSync(path, 'a');
  return { fd, close: () => closeSync(fd) };
}

/** The last lines of a log; none if there is no log. */
export async function tailOf(path: string): Promise<string[]> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return [];
  try {
    const { size } = await file.stat();
    const length = Math.min(size, TAIL_BYTES);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8').trimEnd().split('\n').slice(-TAIL_LINES);
  } finally {
    await file.close();
  }
}
