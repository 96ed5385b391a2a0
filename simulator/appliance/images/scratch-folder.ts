// Where scratches are: a folder of the appliance's own, emptied at each start, as no scratch outlives its process.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { PROCESS_SCRATCH_BYTES_MAX, SCRATCH_BYTES_MAX, ScratchBudget } from './scratch-budget.js';
import { ScratchDisk } from './scratch-disk.js';

export interface ScratchLimits {
  readonly scratchBytesMax?: number | undefined;
  readonly processScratchBytesMax?: number | undefined;
}

export interface ScratchOf {
  readonly sizeBytes: number;
  readonly budget: ScratchBudget;
  /** For the log: whose scratch it is. */
  readonly owner: Readonly<Record<string, unknown>>;
}

export class ScratchFolder {
  readonly #path: string;
  readonly #whole: ScratchBudget;
  readonly #bytesMax: number;
  readonly #log: Logger;
  #made = 0;

  /** @throws Error when the folder can't be emptied or made */
  constructor(path: string, limits: ScratchLimits, log: Logger) {
    this.#path = path;
    this.#whole = new ScratchBudget(limits.processScratchBytesMax ?? PROCESS_SCRATCH_BYTES_MAX);
    this.#bytesMax = limits.scratchBytesMax ?? SCRATCH_BYTES_MAX;
    this.#log = log;
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true });
  }

  /** For one access, or one connection that has a scratch of its own. */
  budget(): ScratchBudget {
    return new ScratchBudget(this.#bytesMax, this.#whole);
  }

  /** Takes no space before the first write. */
  make({ sizeBytes, budget, owner }: ScratchOf): ScratchDisk {
    this.#made += 1;
    let said: ScratchBudget | undefined;
    return new ScratchDisk({
      path: join(this.#path, `${this.#made}.scratch`),
      sizeBytes,
      budget,
      onFull: (limit) => {
        // Once a limit: a client that goes on writing must not fill the log as well.
        if (said === limit) return;
        said = limit;
        const whose = limit === budget ? 'the scratch of an image access is full' : 'all scratch together is full';
        this.#log.warn({ ...owner, scratchBytes: limit.bytes, scratchBytesMax: limit.bytesMax }, whose);
      },
    });
  }
}
