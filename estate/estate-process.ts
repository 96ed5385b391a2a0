// One process of an estate: started, killed, restarted, watched. A death that nobody asked for is
// told at once.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { isGoneWithin } from './gone-within.js';
import { describeExit, type ProcessEnd, processEnd, unstarted } from './process-end.js';
import { type Log, openLog, tailOf } from './process-log.js';
import { onReadyLine, type Ready } from './ready-line.js';

/**
 * Longest wait for the ready line, ms: the worker bundles its workflows first, 3 s measured; a busy
 * machine more.
 */
const READY_MS_MAX = 60_000;
/** Longest orderly stop before SIGKILL, ms: the processes give themselves 10 s. */
const STOP_MS_MAX = 15_000;
/**
 * Longest wait for the system to remove a killed process, ms: one that waits for a dead disk stays
 * until that answers.
 */
const GONE_MS_MAX = 5_000;

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

interface Life {
  readonly child: ChildProcess;
  readonly ready: Promise<Ready>;
  readonly ended: Promise<ProcessEnd>;
  /** Whether its end was asked for. */
  expected: boolean;
  hasEnded: boolean;
}

export class EstateProcess {
  readonly spec: ProcessSpec;
  readonly #onDeath: (death: Error) => void;
  #life: Life | undefined;

  /** @param onDeath gets the news of an end that nobody asked for, with the end of the log */
  constructor(spec: ProcessSpec, onDeath: (death: Error) => void) {
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
    const life = this.#life;
    return life !== undefined && !life.hasEnded && life.child.exitCode === null && life.child.signalCode === null;
  }

  /**
   * Starts the process unless it lives, and waits until it is ready.
   * @throws Error with the end of its log
   */
  async start(): Promise<Ready> {
    await this.begin();
    return await this.waitReady();
  }

  /** Starts the process unless it lives. @throws Error when there is no folder for it */
  async begin(): Promise<void> {
    // Without a pause between the look and the start: a stop finds the process or prevents it.
    if (!this.isAlive) this.#life = this.#spawn();
  }

  /**
   * @throws Error when the process ends first, or is not ready within 60 s; with the end of its
   * log.
   */
  async waitReady(): Promise<Ready> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const error = new Error(`${this.#name} is not ready after ${READY_MS_MAX} ms.`);
      timer = setTimeout(() => reject(error), READY_MS_MAX);
    });
    try {
      return await Promise.race([this.#present.ready, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Without a time limit. Rejects when the present life ends first. @returns where it serves */
  async serving(): Promise<string> {
    const { role, id, url, nbd } = await this.#present.ready;
    return `${role} ${id}: ${url}${nbd === undefined ? '' : `, nbd://${nbd.host}:${nbd.port}`}`;
  }

  async ended(): Promise<ProcessEnd> {
    return await this.#present.ended;
  }

  /** Sends a signal and does not wait, e.g. SIGSTOP and SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    this.#life?.child.kill(signal);
  }

  /**
   * Ends the process and resolves when it is gone. Safe to call when it is.
   * @throws Error when the system doesn't remove it even after SIGKILL
   */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const life = this.#life;
    if (life === undefined || life.hasEnded) return;
    life.expected = true;
    life.child.kill(signal);
    if (signal !== 'SIGKILL' && !(await isGoneWithin(STOP_MS_MAX, life.ended))) life.child.kill('SIGKILL');
    if (!(await isGoneWithin(GONE_MS_MAX, life.ended)))
      throw new Error(`${this.#name} (process id ${life.child.pid}) is still there after SIGKILL.`);
  }

  /** Orderly, by SIGTERM; after 15 s by SIGKILL. */
  async stop(): Promise<void> {
    await this.kill('SIGTERM');
  }

  /**
   * Ends it if it lives (SIGTERM unless told otherwise) and starts it again with the same data and
   * ports.
   */
  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ready> {
    await this.kill(signal);
    return await this.start();
  }

  get #name(): string {
    return `Process ${this.spec.id} (${this.spec.role})`;
  }

  get #present(): Life {
    if (this.#life === undefined) throw new Error(`${this.#name} was not started.`);
    return this.#life;
  }

  #spawn(): Life {
    const { entry, dataFolder, logFile, environment, id } = this.spec;
    mkdirSync(dataFolder, { recursive: true });
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
      return this.#watch(child, log);
    } finally {
      log.close();
    }
  }

  #watch(child: ChildProcess, log: Log): Life {
    const ended = this.#endOf(child, log);
    const life: Life = { child, ended, expected: false, hasEnded: false, ready: this.#readiness(child, ended) };
    // Whoever waits for it is told; a death is told to everyone below.
    life.ready.catch(() => undefined);
    void this.#awaitDeath(life);
    return life;
  }

  async #awaitDeath(life: Life): Promise<void> {
    const end = await life.ended;
    life.hasEnded = true;
    if (!life.expected) this.#onDeath(this.#obituary(end));
  }

  async #readiness(child: ChildProcess, ended: Promise<ProcessEnd>): Promise<Ready> {
    const ready = new Promise<Ready>((resolve) => {
      if (child.stdout !== null) onReadyLine(child.stdout, resolve);
    });
    const died = ended.then((end) => {
      throw this.#obituary(end);
    });
    return await Promise.race([ready, died]);
  }

  /** Resolves when the process is gone, or never came to be. */
  async #endOf(child: ChildProcess, { startBytes }: Log): Promise<ProcessEnd> {
    try {
      await once(child, 'exit');
    } catch (error) {
      // 'error' without 'exit': it could not be spawned.
      return unstarted(error);
    }
    const lines = await tailOf(this.spec.logFile, startBytes);
    return processEnd(describeExit(child.exitCode, child.signalCode), lines);
  }

  #obituary({ how, reason, lastLines }: ProcessEnd): Error {
    const why = reason === undefined || lastLines.length > 0 ? '' : `: ${reason}`;
    return new Error([`${this.#name} ${how}${why}. The end of ${this.spec.logFile}:`, ...lastLines].join('\n    '));
  }
}
