// The parts of a replica site that need each other: rules ask the journals, and the journals report
// what became durable.
import type { Logger } from 'pino';
import type { Estate } from '../../contracts/estate.js';
import { MoverError } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import type { ProcessClock } from '../../control/clock/process-clock.js';
import { syncFolderNames } from '../disk/folder-names.js';
import { freeBytes } from '../disk/free-room.js';
import { knownPositions } from './core/known-positions.js';
import { mendHolesOf } from './core/records.js';
import { acceptedSize } from './core/sizes.js';
import { SiteState } from './core/state.js';
import { Durability } from './durability.js';
import { Intakes } from './intake/intakes.js';
import { type JournalEvents, Journals } from './journals.js';
import { ReplicaDoubts } from './replica-doubts.js';
import { Site } from './site.js';
import type { SiteStorage } from './site-storage.js';
import { storedRows } from './stored-rows.js';

export interface SiteParts {
  readonly site: Site;
  readonly journals: Journals;
  readonly intakes: Intakes;
  readonly doubts: ReplicaDoubts;
  readonly durability: Durability;
}

export interface SitePartsOptions {
  readonly storage: SiteStorage;
  readonly groups: Estate['groups'];
  readonly clock: ProcessClock;
  /** Bytes of DO that may wait to be applied, of each volume. */
  readonly unappliedBytesMax: number;
  readonly log: Logger;
}

/** @throws MoverError if the rows or the volumes' folders can't be read. */
export function createSiteParts({ storage, groups, clock, unappliedBytesMax, log }: SitePartsOptions): SiteParts {
  const { dataFolder, volumesFolder, store, reserve, sync } = storage;
  const journals: Journals = new Journals({
    directory: volumesFolder,
    sync,
    reserve,
    sizeOf: (volume) => acceptedSize(site.state.volume(volume)),
    knownPosition: (volume) => known.get(volume) ?? 0,
    events: journalEvents(() => parts, log),
    log,
  });
  if (sync) syncFolderNames(dataFolder);
  const site = new Site(new SiteState(storedRows(store, groups), journals), store, clock);
  for (const sentence of site.state.unreadable) log.error(sentence);
  const known: ReadonlyMap<VolumeId, number> = knownPositions(site.state);
  const intakes = new Intakes({
    site,
    journals,
    unappliedBytesMax,
    freeBytes: () => freeBytes(dataFolder),
    onInitialized: (volume, position) => parts.doubts.initialized(volume, position),
  });
  const doubts = new ReplicaDoubts({ site, journals, intakes, log });
  const parts: SiteParts = { site, journals, intakes, doubts, durability: new Durability() };
  return parts;
}

/** @param parts asked at each event: no journal is opened before they are all made. */
function journalEvents(parts: () => SiteParts, log: Logger): JournalEvents {
  return {
    onOpened: (volume) => {
      const { site } = parts();
      site.state.forgetAccepted(volume);
      try {
        site.change((state) => mendHolesOf(state, volume));
      } catch (error) {
        // The first record is taken only once this has succeeded: it is tried again then.
        if (!(error instanceof MoverError)) throw error;
        log.warn({ volume, code: error.code, reason: error.message }, 'holes could not be mended yet');
      }
    },
    onDurable: (volume, durable) => {
      const { intakes, durability } = parts();
      intakes.durable(volume, durable);
      durability.durable(volume);
    },
    onApplied: (volume) => parts().intakes.applied(volume),
    onStalled: (volume, part, error) => {
      if (part === 'intake') parts().intakes.stalled(volume, error);
    },
    onReplicaDamaged: (volume) => parts().doubts.found(volume),
    onRebuild: (volume, error) => parts().intakes.rebuilding(volume, error),
    onFailed: (volume, error) => {
      log.error({ err: error, volume }, 'a journal failed');
      parts().intakes.failed(volume, error);
    },
  };
}
