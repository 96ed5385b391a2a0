// A trace of every numbered record, written when it is numbered: tests compare the replica's
// history with it.
import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Logger } from 'pino';

export interface TracedRecord {
  readonly session: number;
  readonly n: number;
  readonly timeMs: number;
  readonly kind: 'write' | 'zeroes' | 'initBegin' | 'initEnd';
  readonly offset: number;
  readonly length: number;
  readonly data?: Buffer;
}

/**
 * Appends lines "session n timeMs kind offset length sha256"; the last is "-" without data. Never
 * throws: after a failed write the trace ends, and the guest goes on.
 */
export class WriteTrace {
  readonly #path: string;
  readonly #log: Logger;
  #fd: number | undefined;
  #hasFailed = false;

  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
  }

  add(record: TracedRecord): void {
    if (this.#hasFailed) return;
    try {
      this.#append(record);
    } catch (error) {
      this.#hasFailed = true;
      this.#log.error(
        { err: error, path: this.#path },
        'the trace of numbered writes ends here: it could not be written',
      );
    }
  }

  #append({ session, n, timeMs, kind, offset, length, data }: TracedRecord): void {
    const digest = data === undefined ? '-' : createHash('sha256').update(data).digest('hex');
    this.#fd ??= openSync(this.#path, 'a');
    writeSync(this.#fd, `${session} ${n} ${timeMs} ${kind} ${offset} ${length} ${digest}\n`);
  }

  close(): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
  }
}
