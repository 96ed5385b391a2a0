// The log file of an estate's process: the process writes to it itself, so that nothing is lost
// when the launcher dies.
import { closeSync, fstatSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';

/** How much of a log's end is read to show its last lines, bytes. */
const TAIL_BYTES = 16 * 1024;
/** How many of a log's last lines a failure shows. */
const TAIL_LINES = 12;

export interface Log {
  /**
   * For a child's standard error; `ignore` where no file can be made (a full disk): a process
   * without a log is better than none.
   */
  readonly fd: number | 'ignore';
  /** Where this life's lines begin in the file. */
  readonly startBytes: number;
  readonly close: () => void;
}

/** Opens the file to append to. */
export function openLog(path: string): Log {
  try {
    const fd = openSync(path, 'a');
    return { fd, startBytes: fstatSync(fd).size, close: () => closeSync(fd) };
  } catch {
    return { fd: 'ignore', startBytes: 0, close: () => undefined };
  }
}

/** The last lines of a log from `startBytes` on; none if there is no log. */
export async function tailOf(path: string, startBytes = 0): Promise<string[]> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return [];
  try {
    const { size } = await file.stat();
    const length = Math.max(0, Math.min(size - startBytes, TAIL_BYTES));
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    const text = buffer.toString('utf8').trimEnd();
    return text === '' ? [] : text.split('\n').slice(-TAIL_LINES);
  } catch {
    return [];
  } finally {
    await file.close();
  }
}
