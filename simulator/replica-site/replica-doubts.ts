// Orders a comparison of a replica image with its source when a read finds damaged blocks: a new
// lineage begins, and a splitter that attaches to it sends again what differs. One comparison runs
// at a time for each volume; it also heals damage found meanwhile.
import type { Logger } from 'pino';
import type { VolumeId } from '../../contracts/ids.js';
import { RetryPauses } from '../disk/retry-pauses.js';
import type { Intakes } from './intake/intakes.js';
import type { Journals } from './journals.js';
import type { Site } from './site.js';

/**
 * Pause between a comparison's end and the next one, for damage found behind it: each reads the
 * whole volume, at both ends.
 */
const COMPARED_EVERY_MS = 60_000;

export interface ReplicaDoubtsOptions {
  readonly site: Pick<Site, 'state'>;
  readonly journals: Pick<Journals, 'open'>;
  readonly intakes: Pick<Intakes, 'intake'>;
  readonly log: Logger;
}

/** Damage of one volume for which a comparison is due or under way. */
interface Doubt {
  readonly pauses: RetryPauses;
  /**
   * Set while the next try waits: because a move is open, the last try failed, or a comparison has
   * just ended.
   */
  retry: NodeJS.Timeout | undefined;
}

export class ReplicaDoubts {
  readonly #options: ReplicaDoubtsOptions;
  readonly #doubts = new Map<VolumeId, Doubt>();
  #isStopped = false;

  constructor(options: ReplicaDoubtsOptions) {
    this.#options = options;
  }

  /** Call it when a read found damaged blocks. Never throws. */
  found(volume: VolumeId): void {
    if (this.#isStopped || this.#doubts.has(volume)) return;
    this.#doubts.set(volume, newDoubt());
    void this.#orderOrRetry(volume);
  }

  /**
   * Call it when a short initialization has ended: damage that is left was found after it was
   * compared. Never throws.
   */
  initialized(volume: VolumeId, position: number): void {
    this.#forget(volume);
    void this.#checkAfterComparison(volume, position);
  }

  stop(): void {
    this.#isStopped = true;
    for (const volume of this.#doubts.keys()) this.#forget(volume);
  }

  /** Never rejects. */
  async #checkAfterComparison(volume: VolumeId, position: number): Promise<void> {
    const journal = this.#options.journals.open.get(volume);
    if (journal === undefined) return;
    try {
      await journal.whenApplied(position);
    } catch {
      // The journal failed or was closed: its next opening handles known damage.
      return;
    }
    const isDamaged = journal.damage.some(({ kind }) => kind === 'replica');
    if (this.#isStopped || this.#doubts.has(volume) || !isDamaged) return;
    const doubt = newDoubt();
    this.#doubts.set(volume, doubt);
    this.#orderLater(volume, doubt, COMPARED_EVERY_MS);
  }

  /** Never rejects. */
  async #orderOrRetry(volume: VolumeId): Promise<void> {
    const { log } = this.#options;
    const doubt = this.#doubts.get(volume);
    if (doubt === undefined) return;
    try {
      const next = await this.#order(volume, doubt);
      if (next === 'done') this.#forget(volume);
      if (next === 'later') this.#orderLater(volume, doubt, doubt.pauses.next());
    } catch (error) {
      log.warn({ volume, err: error }, 'the comparison of a damaged replica could not be ordered yet');
      this.#orderLater(volume, doubt, doubt.pauses.next());
    }
  }

  async #order(volume: VolumeId, doubt: Doubt): Promise<'done' | 'ordered' | 'later'> {
    const { site, journals, intakes, log } = this.#options;
    const journal = journals.open.get(volume);
    if (journal === undefined || journal.failure !== undefined) return 'done';
    // A write on its way may overwrite the damaged blocks.
    await journal.whenApplied(journal.durable.position);
    const damage = journal.damage.find(({ kind }) => kind === 'replica');
    if (damage?.kind !== 'replica') return 'done';
    const { openHole, openAttempt } = site.state.volume(volume);
    // The comparison under way also reads the damaged blocks, and `initialized` is called at its
    // end.
    if (openHole !== undefined) return 'ordered';
    // A move needs its cut applied as it is. It ends by itself.
    if (openAttempt !== undefined) return 'later';
    const intake = await intakes.intake(volume);
    // A short initialization ended meanwhile: `initialized` checks again.
    if (this.#doubts.get(volume) !== doubt) return 'ordered';
    const bytes = damage.ranges.reduce((sum, { length }) => sum + length, 0);
    const { file, offset } = damage;
    log.warn({ volume, file, offset, bytes }, 'blocks of the replica image are damaged: the volume is compared');
    await intake.startOver(`${bytes} bytes of the replica image fail their checksum (${file}, byte ${offset})`);
    return 'ordered';
  }

  #orderLater(volume: VolumeId, doubt: Doubt, pauseMs: number): void {
    if (this.#isStopped || this.#doubts.get(volume) !== doubt) return;
    doubt.retry = setTimeout(() => {
      doubt.retry = undefined;
      void this.#orderOrRetry(volume);
    }, pauseMs);
    doubt.retry.unref();
  }

  #forget(volume: VolumeId): void {
    clearTimeout(this.#doubts.get(volume)?.retry);
    this.#doubts.delete(volume);
  }
}

function newDoubt(): Doubt {
  return { pauses: new RetryPauses(), retry: undefined };
}
