// `npm start` as a process of its own, on a small estate with free ports, and what it says.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { readEstateFile } from '../../client/estate-file.js';
import type { Estate } from '../../contracts/estate.js';
import { PATIENCE_MS, until } from './until.js';

const RUN = fileURLToPath(new URL('../../scripts/run.mjs', import.meta.url));

const recordSchema = z.object({ processes: z.array(z.object({ id: z.string(), pid: z.number() })) });

export class StartRun {
  readonly #child: ChildProcess;
  readonly #data: string;
  #output = '';

  private constructor(child: ChildProcess, data: string) {
    this.#child = child;
    this.#data = data;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
    }
  }

  /** @param folder is kept over runs: the estate file and the data are in it */
  static async begin(folder: string, estate: Estate, environment: NodeJS.ProcessEnv = {}): Promise<StartRun> {
    const file = join(folder, 'given.json');
    const data = join(folder, 'data');
    await writeFile(file, JSON.stringify(estate));
    const child = spawn(process.execPath, [RUN, 'start', '--estate', file, '--data', data], {
      env: { ...process.env, TEMPORAL_ADDRESS: '', TEMPORAL_PROFILE: '', ...environment },
    });
    return new StartRun(child, data);
  }

  /** Everything that it said. */
  get output(): string {
    return this.#output;
  }

  /** The estate with the ports in use. */
  get estate(): Estate {
    return readEstateFile(join(this.#data, 'estate.json'));
  }

  async untilSaid(text: string): Promise<void> {
    await until(`"${text}"`, PATIENCE_MS, async () => {
      if (this.#output.includes(text)) return true;
      if (this.#child.exitCode !== null) throw new Error(`It ended before it said "${text}":\n${this.#output}`);
      return undefined;
    });
  }

  /** The process id of the present life of the process with this id. */
  async pidOf(id: string): Promise<number> {
    const found = (await this.#processes()).find((process) => process.id === id);
    if (found === undefined) throw new Error(`No process "${id}" runs.`);
    return found.pid;
  }

  async pids(): Promise<number[]> {
    return (await this.#processes()).map(({ pid }) => pid);
  }

  /** The processes that the launcher has noted as its own. */
  async #processes(): Promise<z.infer<typeof recordSchema>['processes']> {
    const text = await readFile(join(this.#data, 'launcher.json'), 'utf8');
    return recordSchema.parse(JSON.parse(text)).processes;
  }

  /** @returns its exit code, or null when the signal itself ended it */
  async end(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    const ended = this.ended();
    this.#child.kill(signal);
    return await ended;
  }

  /** Waits for its end. @returns its exit code, or null when a signal ended it */
  async ended(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    return this.#child.exitCode;
  }
}
