// One of the estate's own processes, as the supervisor sees it.
import { healthOperation } from '../contracts/health.js';
import type { EstateProcess } from './estate-process.js';
import type { ProcessEnd } from './process-end.js';
import type { Supervised } from './supervised.js';

/** Longest wait for a health answer, ms: an answer normally takes microseconds. */
const ANSWER_MS_MAX = 5_000;

export type EstateRole = 'replica site' | 'appliance' | 'splitter' | 'worker';

const MEANINGS: Readonly<Record<EstateRole, string>> = {
  'replica site':
    'Guests keep writing; their writes are queued or marked, and sent later. Until it runs: no recovery points, no recovery, no moves.',
  appliance:
    'Guests keep writing; writes of its groups are queued or marked, and sent later. Until it runs: no recovery points of these groups. Images open there are closed.',
  splitter: "Its guests' disks do not answer until it runs. Every acknowledged write is on the source volumes.",
  worker: 'Guests keep writing, protected. Moves and batches wait until it runs.',
};

export class SupervisedProcess implements Supervised {
  readonly process: EstateProcess;
  readonly name: string;
  readonly meaning: string;
  readonly #healthUrl: URL;

  /** @param baseUrl of the server that answers for its health */
  constructor(process: EstateProcess, role: EstateRole, baseUrl: string) {
    this.process = process;
    const isOnlyOne = role === 'replica site' || role === 'worker';
    this.name = isOnlyOne ? `The ${role}` : `The ${role} ${process.id}`;
    this.meaning = MEANINGS[role];
    this.#healthUrl = new URL(healthOperation.path, baseUrl);
  }

  get id(): string {
    return this.process.id;
  }

  get dataFolder(): string {
    return this.process.spec.dataFolder;
  }

  get logFile(): string {
    return this.process.spec.logFile;
  }

  get pid(): number | undefined {
    return this.process.pid;
  }

  async begin(): Promise<void> {
    await this.process.begin();
  }

  async serving(): Promise<string> {
    return await this.process.serving();
  }

  async ended(): Promise<ProcessEnd> {
    return await this.process.ended();
  }

  async answers(): Promise<boolean> {
    try {
      const answer = await fetch(this.#healthUrl, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
      await answer.arrayBuffer();
      return true;
    } catch {
      return false;
    }
  }

  async kill(): Promise<void> {
    await this.process.kill();
  }

  async stop(): Promise<void> {
    await this.process.stop();
  }
}
