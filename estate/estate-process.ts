// One process of an estate: started, killed, restarted, watched. A death that nobody asked for is told at once.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { openLog, tailOf } from './process-log.js';
import { onReadyLine, type Ready } from './ready-line.js';

/** Longest wait for the ready line, ms: the worker bundles its workflows first, 3 s measured; a busy machine more. */
const READY_MS_MAX = 60_000;
/** Longest orderly stop before SIGKILL, ms: the processes give themselves 10 s. */
const STOP_MS_MAX = 15_000;

export interface ProcessSpec {
  readonly id: string;
  /** @example "splitter" */
  readonly role: string;
  /** Absolute path of the compiled module to run. */
  readonly entry: string;
  readonly dataFolder: string;
  readonly logFile: string;
  readonly environment: NodeJS.ProcessEnv;
}

export interface Death {
  readonly process: EstateProcess;
  /** A sentence with the last lines of the log. */
  readonly message: string;
}

interface Life {
  readonly child: ChildProcess;
  readonly ready: Promise<Ready>;
  readonly ended: Promise<void>;
  /** Whether its end was asked for. */
  expected: boolean;
  hasEnded: boolean;
}

export class EstateProcess {
  readonly spec: ProcessSpec;
  readonly #onDeath: (death: Death) => void;
  #life: Life | undefined;

  constructor(spec: ProcessSpec, onDeath: (death: Death) => void) {
    this.spec = spec;
    this.#onDeath = onDeath;
  }

  get id(): string {
    return this.spec.id;
  }

  /** Of the living process; undefined when there is none. */
  get pid(): number | undefined {
    return this.isAlive ? this.#life?.child.pid : undefined;
  }

  get isAlive(): boolean {
    return this.#life?.hasEnded === false;
  }

  /** Starts the process unless it lives, and waits until it is ready. @throws Error with the end of its log */
  async start(): Promise<Ready> {
    if (!this.isAlive) this.#life = await this.#spawn();
    return await this.waitReady();
  }

  /** @throws Error when the process ends first, or is not ready within 60 s; with the end of its log. */
  async waitReady(): Promise<Ready> {
    if (this.#life === undefined) throw new Error(`${this.#name} was not started.`);
    return await this.#life.ready;
  }

  /** Sends a signal and does not wait, e.g. SIGSTOP and SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    this.#life?.child.kill(signal);
  }

  /** Ends the process and resolves when it is gone. Safe to call when it is. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const life = this.#life;
    if (life === undefined || life.hasEnded) return;
    life.expected = true;
    life.child.kill(signal);
    const cut = setTimeout(() => life.child.kill('SIGKILL'), STOP_MS_MAX);
    await life.ended;
    clearTimeout(cut);
  }

  /** Orderly, by SIGTERM; after 15 s by SIGKILL. */
  async stop(): Promise<void> {
    await this.kill('SIGTERM');
  }

  /** Ends it if it lives (SIGTERM unless told otherwise) and starts it again with the same data and ports. */
  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ready> {
    await this.kill(signal);
    return await this.start();
  }

  get #name(): string {
    return `Process ${this.spec.id} (${this.spec.role})`;
  }

  async #spawn(): Promise<Life> {
    const { entry, dataFolder, logFile, environment, id } = this.spec;
    await mkdir(dataFolder, { recursive: true });
    const log = openLog(logFile);
    try {
      const child = spawn(process.execPath, ['--enable-source-maps', entry], {
        // The child leaves when this process does, however it dies: its standard input ends then.
        stdio: ['pipe', 'pipe', log.fd],
        // Ctrl-C is for this process alone, which then stops its children in order.
        detached: true,
        env: {
          ...environment,
          VOLUME_MOVER_ID: id,
          VOLUME_MOVER_DATA: dataFolder,
          VOLUME_MOVER_EXIT_WITH_PARENT: '1',
        },
      });
      child.stdin?.on('error', () => undefined);
      return this.#watch(child);
    } finally {
      log.close();
    }
  }

  #watch(child: ChildProcess): Life {
    const ended = endOf(child);
    const life: Life = { child, ended, expected: false, hasEnded: false, ready: this.#readiness(child, ended) };
    // Whoever waits for it is told; a death is told to everyone below.
    life.ready.catch(() => undefined);
    void this.#awaitDeath(life);
    return life;
  }

  async #awaitDeath(life: Life): Promise<void> {
    await life.ended;
    life.hasEnded = true;
    if (!life.expected) this.#onDeath({ process: this, message: await this.#obituary(life.child) });
  }

  async #readiness(child: ChildProcess, ended: Promise<void>): Promise<Ready> {
    let timer: NodeJS.Timeout | undefined;
    const ready = new Promise<Ready>((resolve, reject) => {
      if (child.stdout !== null) onReadyLine(child.stdout, resolve);
      timer = setTimeout(() => reject(new Error(`${this.#name} is not ready after ${READY_MS_MAX} ms.`)), READY_MS_MAX);
    });
    const died = ended.then(async () => {
      throw new Error(await this.#obituary(child));
    });
    try {
      return await Promise.race([ready, died]);
    } finally {
      clearTimeout(timer);
      died.catch(() => undefined);
    }
  }

  async #obituary(child: ChildProcess): Promise<string> {
    const how = child.signalCode === null ? `exit code ${child.exitCode}` : child.signalCode;
    const lines = await tailOf(this.spec.logFile);
    return [`${this.#name} ended with ${how}. The end of ${this.spec.logFile}:`, ...lines].join('\n    ');
  }
}

/** Resolves when the process is gone, or never came to be. */
async function endOf(child: ChildProcess): Promise<void> {
  try {
    await once(child, 'exit');
  } catch {
    // 'error' without 'exit': it could not be spawned.
  }
}
