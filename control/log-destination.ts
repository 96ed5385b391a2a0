// The log's destination, standard error. A failed write (a full disk) must never end the process.
import { writeSync } from 'node:fs';

const STDERR = 2;

/**
 * A destination for pino. A line that can't be written is lost, and the next one is tried. Writes
 * are synchronous, so the last lines before an exit are not lost.
 */
export const logDestination = {
  write(line: string): void {
    let rest: Uint8Array = Buffer.from(line);
    try {
      while (rest.length > 0) rest = rest.subarray(writeSync(STDERR, rest));
    } catch {
      // No place is left to report it.
    }
  },
};
