// The log file of an estate's process. The process writes to it directly, so that nothing is lost
// when the launcher dies.
import { closeSync, fstatSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';

/** Bytes read from a log's end to find its last lines. */
const TAIL_BYTES = 16 * 1024;
/** Last lines shown in an error. */
const TAIL_LINES = 12;

export interface Log {
  /**
   * Descriptor for a child's standard error; `ignore` when no file can be made (a full disk):
   * running without a log is better than not running.
   */
  readonly fd: number | 'ignore';
  /** Offset of this life's first line in the file, bytes. */
  readonly startBytes: number;
  readonly close: () => void;
}

/** Opens the file for appending. */
export function openLog(path: string): Log {
  try {
    const fd = openSync(path, 'a');
    return { fd, startBytes: fstatSync(fd).size, close: () => closeSync(fd) };
  } catch {
    return { fd: 'ignore', startBytes: 0, close: () => undefined };
  }
}

/** The last lines of a log, from `startBytes` on; empty if there is no log. */
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
