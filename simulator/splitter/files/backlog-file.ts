// A bounded file for a fenced volume's backlog when memory is full. Never read after a restart.
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import type { Logger } from 'pino';
import type { SpillFile } from '../core/copies.js';

export class BacklogFile implements SpillFile {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #log: Logger;
  #fd: number | undefined;
  #usedBytes = 0;

  /** Removes an earlier life's file: marks stand for its content. */
  constructor(path: string, maxBytes: number, log: Logger) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#log = log;
    this.#remove();
  }

  get freeBytes(): number {
    return this.#maxBytes - this.#usedBytes;
  }

  append(data: Buffer): number | undefined {
    const at = this.#usedBytes;
    try {
      this.#fd ??= openSync(this.#path, 'wx+');
      for (let done = 0; done < data.length;) done += writeSync(this.#fd, data, done, data.length - done, at + done);
    } catch (error) {
      this.#log.warn({ err: error, path: this.#path }, 'the backlog could not be spilled; marks are kept instead');
      return undefined;
    }
    this.#usedBytes += data.length;
    return at;
  }

  /**
   * @throws Error when the data can't be read back: the queue is lost then, and marks stand for it.
   */
  read(at: number, length: number): Buffer {
    if (this.#fd === undefined) throw new Error(`${this.#path} holds nothing.`);
    const data = Buffer.allocUnsafe(length);
    for (let done = 0; done < length;) {
      const count = readSync(this.#fd, data, done, length - done, at + done);
      if (count === 0) throw new Error(`${this.#path} is shorter than it was.`);
      done += count;
    }
    return data;
  }

  reset(): void {
    this.#usedBytes = 0;
    if (this.#fd === undefined) return;
    const fd = this.#fd;
    this.#fd = undefined;
    try {
      closeSync(fd);
    } catch (error) {
      this.#log.warn(
        { err: error, path: this.#path },
        'the spill file was closed with an error; nothing in it is needed',
      );
    }
    this.#remove();
  }

  /** Deletes the file. If it stays, nothing can be spilled, and marks are kept instead. */
  #remove(): void {
    try {
      rmSync(this.#path, { force: true });
    } catch (error) {
      this.#log.warn({ err: error, path: this.#path }, 'the spill file could not be removed');
    }
  }
}
