// Proofs that a new disk is the volume's. The replica site gives one when it first takes the disk.
// It is stored, and only then do guests use the disk. Otherwise a lost folder would be served as
// blank disks while the replica site is away.
import type { Logger } from 'pino';
import { Backoff } from '../shared/backoff.js';
import type { SplitterCore } from '../core/splitter-core.js';
import type { ProtectedVolume } from '../volume/protected-volume.js';
import { unprovenSource } from '../volume/refusals.js';

export interface SourceProofsOptions {
  readonly core: SplitterCore;
  /** How long guests' requests wait from now on, in milliseconds, before they get an error. */
  readonly waitMs: number;
  /** The volumes' disks may be used. */
  readonly onProven: (volumes: readonly ProtectedVolume[]) => void;
  readonly log: Logger;
}

export class SourceProofs {
  readonly #options: SourceProofsOptions;
  readonly #backoff = new Backoff();
  /** Volumes with a proof to store, in one transaction with others. */
  readonly #unstored = new Set<ProtectedVolume>();
  #storing: NodeJS.Immediate | undefined;
  #retry: NodeJS.Timeout | undefined;
  readonly #waitTimers = new Set<NodeJS.Timeout>();

  constructor(volumes: Iterable<ProtectedVolume>, options: SourceProofsOptions) {
    this.#options = options;
    this.expect(volumes);
  }

  /** Bars each volume whose disk is unproven. */
  expect(volumes: Iterable<ProtectedVolume>): void {
    const waiting = [...volumes].filter(({ split }) => split.sourceState === 'unproven');
    if (waiting.length === 0) return;
    for (const volume of waiting) volume.barUntilProven(unprovenSource(volume.id));
    const timer = setTimeout(() => {
      this.#waitTimers.delete(timer);
      for (const volume of waiting) volume.endWait();
    }, this.#options.waitMs);
    timer.unref();
    this.#waitTimers.add(timer);
  }

  /** The replica site took the disk. */
  known(volume: ProtectedVolume): void {
    if (!volume.split.isProofUnstored) return;
    this.#unstored.add(volume);
    if (this.#retry === undefined) this.#storing ??= setImmediate(() => this.#store());
  }

  stop(): void {
    for (const timer of this.#waitTimers) clearTimeout(timer);
    clearImmediate(this.#storing);
    clearTimeout(this.#retry);
  }

  /**
   * Stores the proofs. If they can't be stored, guests are served all the same: the next start asks
   * again.
   */
  #store(): void {
    const { core, onProven, log } = this.#options;
    this.#storing = undefined;
    const known = [...this.#unstored].filter(({ id }) => core.has(id));
    try {
      core.changeRows(
        known.map(({ id }) => id),
        (split) => split.sourceKnown(),
      );
      this.#unstored.clear();
      this.#backoff.reset();
    } catch (error) {
      log.warn({ err: error }, 'the replica site’s proofs of disks could not be stored; trying again');
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        this.#store();
      }, this.#backoff.next());
    }
    const proven = known.filter(({ split }) => split.sourceState === 'unproven');
    for (const volume of proven) volume.unbar();
    onProven(proven);
  }
}
