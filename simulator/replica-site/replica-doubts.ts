// Has a replica image compared with its source when a read finds blocks of it damaged: a new
// lineage begins, and whoever attaches to it sends again what differs. One comparison at a time for
// each volume; one under way heals what is found meanwhile.
import type { Logger } from 'pino';
import type { VolumeId } from '../../contracts/ids.js';
import { RetryPauses } from '../disk/retry-pauses.js';
import type { Intakes } from './intake/intakes.js';
import type { Journals } from './journals.js';
import type { Site } from './site.js';

/**
 * Between the end of a comparison and one for what was found behind it: each reads the whole
 * volume, at both ends.
 */
const COMPARED_EVERY_MS = 60_000;

export interface ReplicaDoubtsOptions {
  readonly site: Pick<Site, 'state'>;
  readonly journals: Pick<Journals, 'open'>;
  readonly intakes: Pick<Intakes, 'intake'>;
  readonly log: Logger;
}

/** Of one volume. */
interface Doubt {
  readonly pauses: RetryPauses;
  /**
   * While set, a look waits: a move is open, the last try failed, or a comparison has only just
   * ended.
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

  /** A read found damaged blocks. Never throws. */
  found(volume: VolumeId): void {
    if (this.#isStopped || this.#doubts.has(volume)) return;
    this.#doubts.set(volume, newDoubt());
    void this.#look(volume);
  }

  /**
   * A short initialization has come to its end: what is damaged still was found after it was
   * compared. Never throws.
   */
  initialized(volume: VolumeId, position: number): void {
    this.#forget(volume);
    void this.#lookBehind(volume, position);
  }

  stop(): void {
    this.#isStopped = true;
    for (const volume of this.#doubts.keys()) this.#forget(volume);
  }

  /** Never rejects. */
  async #lookBehind(volume: VolumeId, position: number): Promise<void> {
    const journal = this.#options.journals.open.get(volume);
    if (journal === undefined) return;
    try {
      await journal.whenApplied(position);
    } catch {
      // The journal failed or was closed: its next opening looks at what is known to be damaged.
      return;
    }
    const isDamaged = journal.damage.some(({ kind }) => kind === 'replica');
    if (this.#isStopped || this.#doubts.has(volume) || !isDamaged) return;
    const doubt = newDoubt();
    this.#doubts.set(volume, doubt);
    this.#lookLater(volume, doubt, COMPARED_EVERY_MS);
  }

  /** Never rejects. */
  async #look(volume: VolumeId): Promise<void> {
    const { log } = this.#options;
    const doubt = this.#doubts.get(volume);
    if (doubt === undefined) return;
    try {
      const next = await this.#order(volume, doubt);
      if (next === 'done') this.#forget(volume);
      if (next === 'later') this.#lookLater(volume, doubt, doubt.pauses.next());
    } catch (error) {
      log.warn({ volume, err: error }, 'a damaged replica could not be put in doubt yet');
      this.#lookLater(volume, doubt, doubt.pauses.next());
    }
  }

  async #order(volume: VolumeId, doubt: Doubt): Promise<'done' | 'ordered' | 'later'> {
    const { site, journals, intakes, log } = this.#options;
    const journal = journals.open.get(volume);
    if (journal === undefined || journal.failure !== undefined) return 'done';
    // A write on its way may overwrite what is damaged.
    await journal.whenApplied(journal.durable.position);
    const damage = journal.damage.find(({ kind }) => kind === 'replica');
    if (damage?.kind !== 'replica') return 'done';
    const { openHole, openAttempt } = site.state.volume(volume);
    // The comparison under way reads what is damaged too, and its end is told.
    if (openHole !== undefined) return 'ordered';
    // A move's cut is to be applied as it is; the move ends by itself.
    if (openAttempt !== undefined) return 'later';
    const intake = await intakes.intake(volume);
    // A short initialization ended meanwhile: whoever heard of that looks again.
    if (this.#doubts.get(volume) !== doubt) return 'ordered';
    const bytes = damage.ranges.reduce((sum, { length }) => sum + length, 0);
    const { file, offset } = damage;
    log.warn({ volume, file, offset, bytes }, 'blocks of the replica image are damaged: the volume is compared');
    await intake.startOver(`${bytes} bytes of the replica image fail their checksum (${file}, byte ${offset})`);
    return 'ordered';
  }

  #lookLater(volume: VolumeId, doubt: Doubt, pauseMs: number): void {
    if (this.#isStopped || this.#doubts.get(volume) !== doubt) return;
    doubt.retry = setTimeout(() => {
      doubt.retry = undefined;
      void this.#look(volume);
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
