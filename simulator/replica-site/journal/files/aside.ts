// Moves files that a journal can't use to a folder beside it. Nothing is deleted.
import { basename, join } from 'node:path';
import type { Files } from '../terms/files.js';

const ASIDE_PREFIX = 'damaged-';
const COPY_BYTES = 1024 * 1024;

/** Whether an entry of a journal's folder holds files that were moved aside. */
export function isAsideName(name: string): boolean {
  return name.startsWith(ASIDE_PREFIX);
}

/** Moves files into folders named by the second in which they are moved. */
export class Aside {
  readonly #files: Files;
  readonly #directory: string;
  readonly #sync: boolean;

  constructor(files: Files, directory: string, sync: boolean) {
    this.#files = files;
    this.#directory = directory;
    this.#sync = sync;
  }

  /** Moves the files that exist. Returns their new folder; undefined if none existed. */
  async move(paths: readonly string[]): Promise<string | undefined> {
    const there = paths.filter((path) => this.#files.size(path) !== undefined);
    if (there.length === 0) return undefined;
    const folder = this.#folder();
    for (const path of there) this.#files.rename(path, this.#freeName(folder, path));
    await this.#syncNames(folder);
    return folder;
  }

  /** Moves one file without a sync: after a power cut it may be back in its old place. */
  moveNow(path: string): void {
    if (this.#files.size(path) !== undefined) this.#files.rename(path, this.#freeName(this.#folder(), path));
  }

  /** Keeps a copy of a file that is about to be cut. */
  async copy(path: string): Promise<void> {
    const bytes = this.#files.size(path);
    if (bytes === undefined) return;
    const folder = this.#folder();
    const copy = this.#freeName(folder, path);
    for (let at = 0; at < bytes; at += COPY_BYTES) {
      const part = Buffer.alloc(Math.min(COPY_BYTES, bytes - at));
      const count = this.#files.read(path, part, at);
      this.#files.write(copy, [part.subarray(0, count)], at);
    }
    if (this.#sync) await this.#files.datasync(copy);
    await this.#syncNames(folder);
  }

  #folder(): string {
    const time = new Date().toISOString().replace(/\..*$/, 'Z').replaceAll(':', '-');
    const folder = join(this.#directory, `${ASIDE_PREFIX}${time}`);
    this.#files.makeDirectory(folder);
    return folder;
  }

  #freeName(folder: string, path: string): string {
    const name = join(folder, basename(path));
    for (let number = 1; ; number += 1) {
      const candidate = number === 1 ? name : `${name}.${number}`;
      if (this.#files.size(candidate) === undefined) return candidate;
    }
  }

  async #syncNames(folder: string): Promise<void> {
    if (!this.#sync) return;
    await this.#files.syncDirectory(folder);
    await this.#files.syncDirectory(this.#directory);
  }
}
