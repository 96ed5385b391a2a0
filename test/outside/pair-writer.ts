// Writes dependent pairs over NBD as fast as they are acknowledged.
import type { Export } from '../../estate/compare.js';
import { connectNbd } from '../../nbd/client.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import { contentOf, LANES, offsetOf, type PairLog, type Side, SIDES } from './pair-log.js';

export class PairWriter {
  /** Rejects when a disk refuses a write. */
  readonly failed: Promise<never>;
  readonly #disks: Readonly<Record<Side, NbdClient>>;
  readonly #log: PairLog;
  readonly #lanes: Promise<unknown>;
  #stopping = false;

  private constructor(disks: Readonly<Record<Side, NbdClient>>, log: PairLog) {
    this.#disks = disks;
    this.#log = log;
    this.#lanes = Promise.all(Array.from({ length: LANES }, async (_, lane) => this.#run(lane)));
    this.failed = this.#lanes.then(async () => new Promise<never>(() => undefined));
    this.failed.catch(() => undefined);
  }

  /** Goes on after the last pairs in the log. */
  static async start(disks: Readonly<Record<Side, Export>>, log: PairLog): Promise<PairWriter> {
    const cause = await connectNbd(disks.cause.address, disks.cause.name);
    const effect = await connectNbd(disks.effect.address, disks.effect.name);
    return new PairWriter({ cause, effect }, log);
  }

  /** Resolves when every pair that was begun is complete. Safe to call twice. */
  async stop(): Promise<void> {
    this.#stopping = true;
    try {
      await this.#lanes;
    } finally {
      for (const side of SIDES) await this.#disks[side].disconnect();
    }
  }

  async #run(lane: number): Promise<void> {
    while (!this.#stopping) {
      await this.#write('cause', lane);
      await this.#write('effect', lane);
    }
  }

  async #write(side: Side, lane: number): Promise<void> {
    const n = this.#log.issue(side, lane);
    await this.#disks[side].write(offsetOf(lane, n), contentOf(side, lane, n));
    this.#log.acknowledge(side, lane);
  }
}
