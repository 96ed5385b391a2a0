// One of the estate's own processes, as the supervisor sees it.
import { MoverError } from '../contracts/errors.js';
import { PROBES } from '../contracts/health.js';
import type { Calls } from '../contracts/route.js';
import { createApiClient } from '../control/client.js';
import type { Credentials } from '../control/credentials.js';
import type { EstateProcess } from './estate-process.js';
import type { ProcessEnd } from './process-end.js';
import type { Supervised } from './supervised.js';

/** Longest wait for a sign of life, ms: an answer normally takes microseconds. */
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
  readonly #live: Calls<typeof PROBES>['live'];

  /** @param baseUrl of the server that answers for its health */
  constructor(process: EstateProcess, role: EstateRole, baseUrl: string, credentials?: Credentials) {
    this.process = process;
    const isOnlyOne = role === 'replica site' || role === 'worker';
    this.name = isOnlyOne ? `The ${role}` : `The ${role} ${process.id}`;
    this.meaning = MEANINGS[role];
    this.#live = createApiClient(PROBES, { baseUrl, credentials, timeoutMs: ANSWER_MS_MAX }).live;
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
      await this.#live({});
      return true;
    } catch (error) {
      // Any answer counts, even one of a version that has no such probe.
      return error instanceof MoverError && error.code !== 'UNREACHABLE';
    }
  }

  async kill(): Promise<void> {
    await this.process.kill();
  }

  async stop(): Promise<void> {
    await this.process.stop();
  }
}
