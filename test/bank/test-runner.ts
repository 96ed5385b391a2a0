// Runs tests of the copy in a process of their own, which is stopped when a bug makes it hang.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PROCESS = fileURLToPath(new URL('test-process.js', import.meta.url));

export interface TestRequest {
  /** Prefixes of test files. */
  readonly files: readonly string[];
  /** Pattern of test names; default: all. */
  readonly names?: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Sources that were changed since the last run. */
  readonly changed: readonly string[];
}

export interface TestRun {
  /** Files and names of the tests that passed. */
  readonly passed: readonly string[];
  /** The first test that failed. */
  readonly failed?: { readonly name: string; readonly message: string };
  /** Why a test file can't even be loaded. */
  readonly broken?: string;
}

const HANGS: TestRun = { passed: [], failed: { name: 'it never ends', message: 'stopped after the longest time' } };

export class TestRunner {
  readonly #folder: string;
  #process: ChildProcess | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Runs tests up to the first failure.
   * @throws Error when the process ends by itself
   */
  async run(request: TestRequest, limitMs: number): Promise<TestRun> {
    const child = (this.#process ??= this.#start());
    return await new Promise<TestRun>((resolve, reject) => {
      const limit = setTimeout(() => {
        this.stop();
        finish(() => resolve(HANGS));
      }, limitMs);
      const finish = (settle: () => void): void => {
        clearTimeout(limit);
        child.removeAllListeners();
        settle();
      };
      child.once('message', (run: TestRun) => finish(() => resolve(run)));
      child.once('exit', (code) => {
        this.#process = undefined;
        finish(() => reject(new Error(`The process that runs the tests ended (${code}).`)));
      });
      child.send(request);
    });
  }

  /** Stops the process and its workers: they form a group. */
  stop(): void {
    const { pid } = this.#process ?? {};
    this.#process = undefined;
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  }

  #start(): ChildProcess {
    return fork(PROCESS, [this.#folder], {
      cwd: this.#folder,
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
  }
}
