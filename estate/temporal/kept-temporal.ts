// The estate's own Temporal server over its lives: the same ports and the same database file in
// each, so that everybody finds it again.
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
  /** Without one, everything is forgotten with each life. */
  readonly databaseFile?: string | undefined;
  /** What the server says, errors only, is appended here. */
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
        ? 'Moves that run are forgotten, and undone at the end of their leases.'
        : `Moves, batches and schedules are kept in ${databaseFile}; they stand still and go on afterwards. Commands that need Temporal fail meanwhile.`;
    this.meaning = `Guests write on, protected. ${state}`;
  }

  get pid(): number | undefined {
    return this.#isAlive ? this.#life?.processId : undefined;
  }

  /** @throws Error when somebody has one of its ports, or the command can't be started */
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
    await this.#present.serving;
    return `Temporal: ${this.address}, UI ${this.uiUrl}`;
  }

  async ended(): Promise<ProcessEnd> {
    return await this.#present.ended;
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

  get #present(): TemporalLife {
    if (this.#life === undefined) throw new Error('The Temporal server was not started.');
    return this.#life;
  }

  #log(line: string): void {
    try {
      appendFileSync(this.logFile, `${line}\n`);
    } catch {
      // On a full disk the server goes on without a log; its last lines are told all the same.
    }
  }
}
