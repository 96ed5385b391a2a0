// Where a process writes its log: standard error. A log that can't be written (a full disk) must
// never end the process.
import { writeSync } from 'node:fs';

const STDERR = 2;

/**
 * For pino. Lines that can't be written are lost; the next one is tried again. Synchronous: the
 * last words before an end are there.
 */
export const logDestination = {
  write(line: string): void {
    let rest: Uint8Array = Buffer.from(line);
    try {
      while (rest.length > 0) rest = rest.subarray(writeSync(STDERR, rest));
    } catch {
      // There is nowhere to say it.
    }
  },
};
