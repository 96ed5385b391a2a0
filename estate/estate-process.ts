// One process of an estate: starts, watches, kills and restarts it. Reports an unexpected end at
// once.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { isGoneWithin } from './gone-within.js';
import { describeExit, type ProcessEnd, processEnd, unstarted } from './process-end.js';
import { type Log, openLog, tailOf } from './process-log.js';
import { onReadyLine, type Ready } from './ready-line.js';

/** Longest wait for the ready line, ms: the worker bundles its workflows first, 3 s measured. */
const READY_MS_MAX = 60_000;
/** Longest orderly stop before SIGKILL, ms: the processes allow themselves 10 s. */
const STOP_MS_MAX = 15_000;
/**
 * Longest wait for the system to remove a killed process, ms: a process that waits for a dead disk
 * stays until the disk answers.
 */
const GONE_MS_MAX = 5_000;

export interface ProcessSpec {
  readonly id: string;
  /** @example "splitter" */
  readonly role: string;
  /** Absolute path of the compiled module to run. */
  readonly entry: string;
  readonly args?: readonly string[] | undefined;
  readonly dataFolder: string;
  readonly logFile: string;
  readonly environment: NodeJS.ProcessEnv;
}

interface Life {
  readonly child: ChildProcess;
  readonly ready: Promise<Ready>;
  readonly ended: Promise<ProcessEnd>;
  /** Whether the end of this life was requested. */
  expected: boolean;
  hasEnded: boolean;
}

export class EstateProcess {
  readonly spec: ProcessSpec;
  readonly #onDeath: (death: Error) => void;
  #life: Life | undefined;

  /** @param onDeath called on an unexpected end, with the end of the log */
  constructor(spec: ProcessSpec, onDeath: (death: Error) => void) {
    this.spec = spec;
    this.#onDeath = onDeath;
  }

  get id(): string {
    return this.spec.id;
  }

  /** Process id while it lives; undefined otherwise. */
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

  /** Starts the process unless it lives. @throws Error when its folder can't be made */
  async begin(): Promise<void> {
    // No await between the check and the start: a stop either finds the process or prevents it.
    if (!this.isAlive) this.#life = this.#spawn();
  }

  /**
   * Waits for the ready line.
   * @throws Error with the end of its log when the process ends first; Error naming the log when it
   * isn't ready within 60 s
   */
  async waitReady(): Promise<Ready> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const error = new Error(`${this.#name} is not ready after ${READY_MS_MAX} ms. Its log: ${this.spec.logFile}`);
      timer = setTimeout(() => reject(error), READY_MS_MAX);
    });
    try {
      return await Promise.race([this.#currentLife.ready, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Waits, without a time limit, until the process serves. Rejects when this life ends first.
   * @returns a line with its addresses
   */
  async serving(): Promise<string> {
    const { role, id, url, nbd } = await this.#currentLife.ready;
    return `${role} ${id}: ${url}${nbd === undefined ? '' : `, nbd://${nbd.host}:${nbd.port}`}`;
  }

  async ended(): Promise<ProcessEnd> {
    return await this.#currentLife.ended;
  }

  /** Sends a signal without waiting, e.g. SIGSTOP and SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    this.#life?.child.kill(signal);
  }

  /**
   * Ends the process and resolves once it is gone. Safe to call when it is gone already.
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

  /** Stops the process by SIGTERM; after 15 s by SIGKILL. */
  async stop(): Promise<void> {
    await this.kill('SIGTERM');
  }

  /** Ends the process if it lives, then starts it with the same data and ports. */
  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ready> {
    await this.kill(signal);
    return await this.start();
  }

  get #name(): string {
    return `Process ${this.spec.id} (${this.spec.role})`;
  }

  get #currentLife(): Life {
    if (this.#life === undefined) throw new Error(`${this.#name} was not started.`);
    return this.#life;
  }

  #spawn(): Life {
    const { entry, args = [], dataFolder, logFile, environment, id } = this.spec;
    mkdirSync(dataFolder, { recursive: true });
    const log = openLog(logFile);
    try {
      const child = spawn(process.execPath, ['--enable-source-maps', entry, ...args], {
        // The child ends with this process, however this one dies: its standard input then closes.
        stdio: ['pipe', 'pipe', log.fd],
        // Ctrl-C reaches only this process, which then stops its children in order.
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
    // A failed wait rejects for its callers; `#awaitDeath` reports the death to everyone else.
    life.ready.catch(() => undefined);
    void this.#awaitDeath(life);
    return life;
  }

  async #awaitDeath(life: Life): Promise<void> {
    const end = await life.ended;
    life.hasEnded = true;
    if (!life.expected) this.#onDeath(this.#deathError(end));
  }

  async #readiness(child: ChildProcess, ended: Promise<ProcessEnd>): Promise<Ready> {
    const ready = new Promise<Ready>((resolve) => {
      if (child.stdout !== null) onReadyLine(child.stdout, resolve);
    });
    const died = ended.then((end) => {
      throw this.#deathError(end);
    });
    return await Promise.race([ready, died]);
  }

  /** Resolves once the process is gone or couldn't be spawned. */
  async #endOf(child: ChildProcess, { startBytes }: Log): Promise<ProcessEnd> {
    try {
      await once(child, 'exit');
    } catch (error) {
      // 'error' without 'exit': the process couldn't be spawned.
      return unstarted(error);
    }
    const lines = await tailOf(this.spec.logFile, startBytes);
    return processEnd(describeExit(child.exitCode, child.signalCode), lines);
  }

  #deathError({ how, reason, lastLines }: ProcessEnd): Error {
    const why = reason === undefined || lastLines.length > 0 ? '' : `: ${reason}`;
    return new Error([`${this.#name} ${how}${why}. The end of ${this.spec.logFile}:`, ...lastLines].join('\n    '));
  }
}
