// The estate's own Temporal server over its lives: each uses the same ports and database file, so
// that clients find it again.
import { appendFileSync } from 'node:fs';
import { dirname } from 'node:path';

import type { ProcessEnd } from '../process-end.js';
import type { Supervised } from '../supervised.js';
import { isPortFree } from './free-port.js';
import { temporalTrouble } from './reach.js';
import { beginTemporal, type TemporalLife } from './server.js';

export interface KeptTemporalOptions {
  readonly executable: string;
  readonly port: number;
  readonly uiPort: number;
  /** SQLite file of the state; without one each life forgets everything. */
  readonly databaseFile?: string | undefined;
  /** The server's output (errors only) is appended here. */
  readonly logFile: string;
}

export class KeptTemporal implements Supervised {
  readonly id = 'temporal';
  readonly name = 'The Temporal server';
  readonly meaning: string;
  readonly dataFolder: string;
  readonly logFile: string;
  readonly address: string;
  readonly uiUrl: string;
  readonly #options: KeptTemporalOptions;
  #life: TemporalLife | undefined;

  constructor(options: KeptTemporalOptions) {
    const { port, uiPort, databaseFile, logFile } = options;
    this.#options = options;
    this.logFile = logFile;
    this.dataFolder = dirname(databaseFile ?? logFile);
    this.address = `127.0.0.1:${port}`;
    this.uiUrl = `http://127.0.0.1:${uiPort}`;
    const state =
      databaseFile === undefined
        ? 'The records of running moves in Temporal are lost; these moves are aborted when their leases end.'
        : `Moves, batches and schedules are kept in ${databaseFile}; they wait until it runs again. Commands that need Temporal fail until then.`;
    this.meaning = `Guests keep writing, protected. ${state}`;
  }

  get pid(): number | undefined {
    return this.#isAlive ? this.#life?.processId : undefined;
  }

  /** Starts a life. @throws Error when a port is taken or the command can't be started */
  async begin(): Promise<void> {
    if (this.#isAlive) return;
    const { port, uiPort, databaseFile, ...rest } = this.#options;
    for (const wanted of [port, uiPort]) {
      if (!(await isPortFree(wanted))) throw new Error(`Port ${wanted} is taken: Temporal can't use it.`);
    }
    const kept = databaseFile === undefined ? {} : { databaseFile };
    this.#life = await beginTemporal({ ...rest, ...kept, port, uiPort, log: (line) => this.#log(line) });
  }

  async serving(): Promise<string> {
    await this.#currentLife.serving;
    return `Temporal: ${this.address}, UI ${this.uiUrl}`;
  }

  async ended(): Promise<ProcessEnd> {
    return await this.#currentLife.ended;
  }

  async answers(): Promise<boolean> {
    return (await temporalTrouble({ address: this.address })) === undefined;
  }

  async kill(): Promise<void> {
    await this.#life?.kill();
  }

  async stop(): Promise<void> {
    await this.#life?.stop();
  }

  get #isAlive(): boolean {
    return this.#life?.hasEnded() === false;
  }

  get #currentLife(): TemporalLife {
    if (this.#life === undefined) throw new Error('The Temporal server was not started.');
    return this.#life;
  }

  #log(line: string): void {
    try {
      appendFileSync(this.logFile, `${line}\n`);
    } catch {
      // On a full disk the server runs without a log; its last lines are still reported.
    }
  }
}
