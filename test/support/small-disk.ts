// A small disk of its own for a folder, that a test can fill and empty. Needs root, as CI has.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const KIB = 1024;
const STEP = Buffer.alloc(4 * KIB, 1);

export class SmallDisk {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Mounts an empty file system of that size over the folder. */
  static mount(folder: string, sizeKiB: number): SmallDisk {
    mkdirSync(folder, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKiB}k`, 'tmpfs', folder]);
    return new SmallDisk(folder);
  }

  /** Somebody else's file takes everything but so much. */
  fill(leftKiB = 0): void {
    const fd = openSync(this.#filler, 'a');
    try {
      for (;;) writeSync(fd, STEP);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    } finally {
      closeSync(fd);
    }
    if (leftKiB > 0) truncateSync(this.#filler, statSync(this.#filler).size - leftKiB * KIB);
  }

  /** The foreign file goes. */
  empty(): void {
    rmSync(this.#filler, { force: true });
  }

  unmount(): void {
    execFileSync('umount', ['--lazy', this.folder]);
  }

  get #filler(): string {
    return join(this.folder, 'somebody-elses');
  }
}
