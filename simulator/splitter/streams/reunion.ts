// What happens when a volume meets its replica again: each end says what it has, and the volume is
// compared where they disagree.
import type { Logger } from 'pino';
import { controlUrl, type Estate } from '../../../contracts/estate.js';
import type { ApplianceId } from '../../../contracts/ids.js';
import type { Advice } from '../../../contracts/lineage.js';
import type { AttachedFrame, RefusedFrame } from '../../stream/frame.js';
import { nowMs } from '../shared/clock.js';
import type { Confirmations } from '../marks/confirmations.js';
import { doubtOf, remedyFor } from '../core/doubt.js';
import type { SplitterCore } from '../core/splitter-core.js';
import type { ProtectedVolume } from '../volume/protected-volume.js';
import { foreignSource } from '../volume/refusals.js';
import type { Sessions } from './sessions.js';

export interface ReunionOptions {
  readonly core: SplitterCore;
  readonly sessions: Sessions;
  readonly confirmations: Confirmations;
  readonly estate: Estate;
  /** The replica site took the volume's disk. */
  readonly onSourceKnown: (volume: ProtectedVolume) => void;
  /** There may be something to compare or to send again. */
  readonly onDoubt: (volume: ProtectedVolume) => void;
  readonly log: Logger;
}

export class Reunion {
  readonly #options: ReunionOptions;
  readonly #addresses: ReadonlyMap<ApplianceId, string>;

  constructor(options: ReunionOptions) {
    this.#options = options;
    this.#addresses = new Map(options.estate.appliances.map(({ id, control }) => [id, controlUrl(control)]));
  }

  /**
   * Handles an attach that the replica site accepted.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED, the system's error: attach again later
   */
  attached(volume: ProtectedVolume, frame: AttachedFrame): void {
    const { sessions, onSourceKnown } = this.#options;
    const { split } = volume;
    const reason = doubtOf(split, frame, sessions.isKnown);
    if (reason !== undefined) this.#doubt(volume, reason);
    split.attached(frame);
    if (frame.initializing === true) split.initializeAgain(nowMs());
    onSourceKnown(volume);
  }

  /**
   * Handles a refused attach, and follows the site's advice.
   * @returns whether to attach again at once.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED, the system's error: the next refusal repeats
   * the advice
   */
  refused(volume: ProtectedVolume, { code, message, advice }: RefusedFrame): boolean {
    if (code === 'FOREIGN_SOURCE') {
      this.#foreign(volume);
      return false;
    }
    return advice !== undefined && this.#follow(volume, message, advice);
  }

  /**
   * Bars a disk that the replica site calls foreign. Stores that, so that it holds at the next
   * start while the site is away. A failed store is repeated when the site says it again.
   */
  #foreign(volume: ProtectedVolume): void {
    const { sourceState, row } = volume.split;
    // A missing disk, or one being recovered, stays in that state.
    if (sourceState === 'missing' || sourceState === 'recovering') return;
    try {
      if (row.refused === undefined)
        this.#options.core.changeRows([volume.id], (split) => split.refuseSource('foreign'));
    } finally {
      if (sourceState !== 'foreign') volume.bar('foreign', foreignSource(volume.id));
    }
  }

  #follow(volume: ProtectedVolume, message: string, advice: Advice): boolean {
    const { core, sessions, confirmations } = this.#options;
    const { split } = volume;
    const remedy = remedyFor(split, advice);
    switch (remedy?.kind) {
      case undefined:
        return false;
      case 'reroute': {
        const url = this.#addresses.get(remedy.owner.appliance);
        if (url !== undefined) core.reroute(split.volume, { ...remedy.owner, url });
        return false;
      }
      case 'renumber':
        split.renumber(sessions.next(remedy.sessionMin));
        return true;
      case 'startOver':
        volume.store(split.startOver(sessions.next(remedy.sessionMin), remedy.lineage, message, nowMs()));
        confirmations.put([[split.volume, remedy.lineage]]);
        this.#announce(volume, message);
        return true;
    }
  }

  #doubt(volume: ProtectedVolume, reason: string): void {
    volume.store(volume.split.doubt(reason, nowMs()));
    this.#announce(volume, reason);
  }

  #announce(volume: ProtectedVolume, reason: string): void {
    const { log, onDoubt } = this.#options;
    log.warn({ volume: volume.id, reason }, 'the volume is compared with its replica');
    volume.split.note(
      'doubt',
      `Volume "${volume.id}": ${reason}. It is compared with its replica now, and what differs is sent again; until then no recovery point contains it.`,
    );
    onDoubt(volume);
  }
}
