// Processes whose disk fails where a test says so, at the calls themselves: what lmdb does then
// can't be had from files of this process.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('failing-calls.c', import.meta.url));

/** `meta`: the write that ends each commit of lmdb. */
export type FailingCall = 'open' | 'write' | 'meta' | 'sync';

export class FailingCalls {
  readonly #control: string;
  /** Variables for the environment of processes. */
  readonly env: Readonly<Record<string, string>>;

  /** @param folder for what is built; needs a C compiler */
  constructor(folder: string) {
    const library = join(folder, 'failing-calls.so');
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, SOURCE, '-ldl']);
    this.#control = join(folder, 'failing-calls');
    this.mend();
    this.env = { LD_PRELOAD: library, FAILING_CALLS: this.#control };
  }

  /** Calls on files of lmdb with this in their path fail with EIO from now on, and no others. */
  fail(call: FailingCall, path: string): void {
    writeFileSync(this.#control, `${call} ${path}\n`);
  }

  mend(): void {
    writeFileSync(this.#control, '');
  }
}
