// A real file whose disk fails where a test says so: an NBD export of this process, mounted as a
// file by nbdfuse. Needs root.
import { spawn, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { statSync, writeFileSync } from 'node:fs';
import { NbdError } from '../../nbd/errors.js';
import { createNbdServer, type NbdServer } from '../../nbd/server.js';
import { untilTrue } from './until.js';

/** Longest mount, on a busy machine, ms. */
const MOUNT_MS_MAX = 20_000;
const PAGE_BYTES = 4096;

export class FailingFile {
  readonly path: string;
  readonly content: Buffer;
  /**
   * Pages of 4 KiB that can't be read, unless the kernel has them: it forgets all when the file is
   * opened. Writing one whole heals it, as a disk does that has spare sectors.
   */
  readonly unreadable = new Set<number>();
  /** Whether every write fails. */
  refusesWrites = false;
  readings = 0;
  #server: NbdServer | undefined;

  private constructor(path: string, content: Buffer) {
    this.path = path;
    this.content = content;
  }

  /** Only other processes may use the file: this one answers for it. */
  static async mount(path: string, content: Buffer): Promise<FailingFile> {
    const file = new FailingFile(path, content);
    await file.#mount();
    return file;
  }

  /** [from, to) in bytes, whole pages. */
  breakAt(from: number, to: number): void {
    for (let page = from / PAGE_BYTES; page < to / PAGE_BYTES; page += 1) this.unreadable.add(page);
  }

  async unmount(): Promise<void> {
    execFileSync('umount', ['--lazy', this.path]);
    await this.#server?.stop();
  }

  async #mount(): Promise<void> {
    const { content } = this;
    this.#server = createNbdServer({
      listen: [{ host: '127.0.0.1', port: 0 }],
      exports: {
        list: () => ['disk'],
        open: () => ({
          sizeBytes: content.length,
          readOnly: false,
          blockSizes: { minimum: 1, preferred: PAGE_BYTES, maximum: 32 * 1024 * 1024 },
          read: (offset, length) => this.#read(offset, length),
          write: (offset, data) => this.#write(offset, data),
          zeroes: (offset, length) => this.#write(offset, Buffer.alloc(length)),
          flush: () => undefined,
          close: () => undefined,
        }),
      },
    });
    const [address] = await this.#server.start();
    if (address === undefined || !('port' in address)) throw new Error('no port');
    writeFileSync(this.path, '');
    const words = [this.path, `nbd://127.0.0.1:${address.port}/disk`];
    const child = spawn('nbdfuse', words, { stdio: 'ignore' });
    const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error));
    await Promise.race([
      failed,
      untilTrue(`${this.path} is mounted`, MOUNT_MS_MAX, async () => statSync(this.path).size === content.length),
    ]);
    failed.catch(() => undefined);
  }

  #read(offset: number, length: number): Buffer {
    this.readings += 1;
    for (const page of this.#pages(offset, length))
      if (this.unreadable.has(page)) throw new NbdError('EIO', 'a bad sector of the test');
    return Buffer.from(this.content.subarray(offset, offset + length));
  }

  #write(offset: number, data: Buffer): void {
    if (this.refusesWrites) throw new NbdError('EIO', 'a dead disk of the test');
    data.copy(this.content, offset);
    for (const page of this.#pages(offset, data.length)) this.unreadable.delete(page);
  }

  *#pages(offset: number, length: number): Generator<number> {
    for (let page = Math.floor(offset / PAGE_BYTES); page * PAGE_BYTES < offset + length; page += 1) yield page;
  }
}
