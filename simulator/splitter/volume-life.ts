// Volumes that come and go while the splitter runs. The row is stored first: a splitter that dies
// in between does at its next start what the row says.
import { rmSync } from 'node:fs';
import type { Logger } from 'pino';
import { type ErrorCode, MoverError, type Reason } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import { type Changed, refuseChange } from '../../contracts/lifecycle.js';
import type { ParsedInputOf } from '../../contracts/route.js';
import type { splitterApi, UnusableVolume } from '../../contracts/splitter-api.js';
import { storageFailure } from '../store/storage-failure.js';
import type { RowStore } from '../store/row-store.js';
import type { SplitterCore } from './core/splitter-core.js';
import type { VolumeSplitRow } from './core/volume-split.js';
import type { VolumeFiles } from './files/volume-files.js';
import { type LoadedVolume, sourceFault } from './load-volumes.js';
import { CONFIRMED_TABLE } from './marks/confirmations.js';
import { newSourceId } from './shared/identities.js';
import { SOURCES_TABLE } from './source/source-checks.js';
import type { ProtectedVolume } from './volume/protected-volume.js';

const MIB = 1024 * 1024;
const FIRST_EPOCH = 1;
const VOLUMES_TABLE = 'volumes';
const SAME: Changed = { changed: false };
const CHANGED: Changed = { changed: true };

export interface VolumeLifeOptions {
  readonly core: SplitterCore;
  readonly store: RowStore;
  readonly volumes: ReadonlyMap<VolumeId, ProtectedVolume>;
  readonly unusable: ReadonlyMap<VolumeId, UnusableVolume>;
  /** Volumes that were retired in earlier lives. */
  readonly retired: Iterable<VolumeId>;
  readonly files: (volume: VolumeId) => VolumeFiles;
  /** Opens the files of a volume. */
  readonly load: (row: VolumeSplitRow) => LoadedVolume | UnusableVolume;
  /** Serves and protects a volume whose row is stored. */
  readonly begin: (loaded: LoadedVolume) => void;
  /** Serves and protects it no more: it is stored as retired. */
  readonly end: (volume: ProtectedVolume) => void;
  /** Tells the replica site a volume's new size. */
  readonly onGrown: (volume: ProtectedVolume) => void;
  /** Lets go of what is known of a volume whose rows are deleted. */
  readonly onForgotten: (volume: VolumeId) => void;
  readonly log: Logger;
}

export class VolumeLife {
  readonly #options: VolumeLifeOptions;
  readonly #retired: Set<VolumeId>;

  constructor(options: VolumeLifeOptions) {
    this.#options = options;
    this.#retired = new Set(options.retired);
  }

  /**
   * Serves and protects one more volume.
   * @throws MoverError CHANGE_REFUSED with every reason; VOLUME_UNUSABLE, STORAGE_FULL,
   * STORAGE_FAILED
   */
  add({ volume, sizeMiB, to, dryRun }: ParsedInputOf<typeof splitterApi.addVolume>): Changed {
    const { core, store, unusable, files, load, begin, log } = this.#options;
    const sizeBytes = sizeMiB * MIB;
    const reasons: Reason[] = [];
    const against = (code: ErrorCode, message: string): void => void reasons.push({ code, subject: volume, message });
    if (core.has(volume)) {
      const { row } = core.volume(volume);
      if (row.sizeBytes === sizeBytes && (row.route.group === to.group || row.route.epoch > FIRST_EPOCH)) return SAME;
      against(
        'NAME_TAKEN',
        `volume "${volume}" with ${row.sizeBytes / MIB} MiB is served here, and sent to group "${row.route.group}"`,
      );
    } else if (this.#retired.has(volume)) against('VOLUME_RETIRED', `volume "${volume}" was retired here`);
    else if (unusable.has(volume)) against('VOLUME_UNUSABLE', unusable.get(volume)?.reason ?? volume);
    else if (new Map(store.rows(VOLUMES_TABLE)).has(volume))
      against('NAME_TAKEN', `a volume "${volume}" was served here before, and its row is kept`);
    const fault = sourceFault(files(volume).source, sizeBytes);
    if (fault !== undefined) against('VOLUME_UNUSABLE', fault);
    refuseChange(`Volume "${volume}" cannot be added to the splitter`, reasons);
    if (dryRun) return CHANGED;

    const row = { volume, sizeBytes, route: { ...to, epoch: FIRST_EPOCH }, source: newSourceId() };
    const loaded = load(row);
    if ('reason' in loaded) throw new MoverError('VOLUME_UNUSABLE', loaded.reason);
    store.commit([{ table: VOLUMES_TABLE, key: volume, value: row }]);
    begin(loaded);
    log.info({ volume, sizeBytes, group: to.group }, 'a volume was added');
    return CHANGED;
  }

  /**
   * Makes a volume larger, while guests write. Those that are connected keep the former size.
   * @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE; CHANGE_REFUSED with every reason;
   * STORAGE_FULL, STORAGE_FAILED
   */
  async grow({ volume: id, sizeMiB, dryRun }: ParsedInputOf<typeof splitterApi.growVolume>): Promise<Changed> {
    const { core, volumes, onGrown, files, log } = this.#options;
    const volume = volumes.get(id);
    if (volume === undefined) throw core.missing(id);
    const { split } = volume;
    const before = split.row;
    const sizeBytes = sizeMiB * MIB;
    if (before.sizeBytes === sizeBytes) return SAME;
    const reasons: Reason[] = [];
    const against = (code: ErrorCode, message: string): void => void reasons.push({ code, subject: id, message });
    if (sizeBytes < before.sizeBytes)
      against(
        'SHRINKING',
        `volume "${id}" has ${before.sizeBytes / MIB} MiB at its splitter, and cannot be made smaller`,
      );
    // A cut and its verdict speak of one size. The move is over in seconds, and a guest that needs
    // the room asks for it after.
    const attempt = split.row.fence?.attempt ?? split.row.notice?.attempt;
    if (attempt !== undefined) against('VOLUME_BUSY', `volume "${id}" is being moved by ${attempt.move}`);
    if (volume.barred !== undefined) against('VOLUME_UNUSABLE', volume.barred);
    refuseChange(`Volume "${id}" cannot be made larger at the splitter`, reasons);
    if (dryRun) return CHANGED;

    core.changeRows([id], (changed) => changed.grow(sizeBytes));
    try {
      volume.grow(before.sizeBytes);
    } catch (error) {
      core.changeRows([id], (changed) => changed.restore(before));
      throw storageFailure(files(id).source, error);
    }
    // Its claim has the new size, before any record beyond the former end.
    onGrown(volume);
    await volume.numberGrowth();
    log.info({ volume: id, sizeBytes, formerBytes: before.sizeBytes }, 'a volume has grown');
    return CHANGED;
  }

  /**
   * Serves and protects a volume no more. Its disk stays where it is.
   * @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE; CHANGE_REFUSED with every reason;
   * STORAGE_FULL, STORAGE_FAILED
   */
  retire({ volume: id, unsynced, dryRun }: ParsedInputOf<typeof splitterApi.retireVolume>, atMs: number): Changed {
    const { core, store, volumes, end, log } = this.#options;
    if (this.#retired.has(id)) return SAME;
    const volume = volumes.get(id);
    if (volume === undefined) throw core.missing(id);
    const { split, guests } = volume;
    const reasons: Reason[] = [];
    const against = (code: ErrorCode, message: string): void => void reasons.push({ code, subject: id, message });
    if (guests > 0) against('VOLUME_IN_USE', `${guests} connections of guests have volume "${id}" open`);
    const attempt = split.row.fence?.attempt ?? split.row.notice?.attempt;
    if (attempt !== undefined) against('VOLUME_BUSY', `volume "${id}" is being moved by ${attempt.move}`);
    // Its end would put the copy in the place of the disk, which stays as it is.
    if (split.sourceState === 'recovering')
      against('VOLUME_BUSY', `the disk of volume "${id}" is being recovered from its replica: wait for the end`);
    const isComplete = split.mode === 'SYNCED' && split.allConfirmed;
    if (!isComplete && !unsynced)
      against(
        'NOT_SYNCED',
        `writes of volume "${id}" have not reached the replica site (mode ${split.mode}): wait until they have, or retire it all the same with --unsynced`,
      );
    refuseChange(`Volume "${id}" cannot be retired at the splitter`, reasons);
    if (dryRun) return CHANGED;

    store.commit([{ table: VOLUMES_TABLE, key: id, value: { ...split.row, retired: { atMs } } }]);
    this.#retired.add(id);
    end(volume);
    log.warn({ volume: id, unsynced, source: this.#options.files(id).source }, 'a volume was retired; its disk stays');
    return CHANGED;
  }

  /**
   * Removes what is remembered of a retired volume, so that its name is free; its disk stays. The
   * row goes last: until then the name is refused.
   * @throws MoverError CHANGE_REFUSED; STORAGE_FULL, STORAGE_FAILED; the system's error
   */
  forget({ volume: id, dryRun }: ParsedInputOf<typeof splitterApi.forgetVolume>): Changed {
    const { volumes, unusable, store, files, onForgotten, log } = this.#options;
    if (volumes.has(id) || unusable.has(id))
      refuseChange(`Volume "${id}" cannot be forgotten at the splitter`, [
        { code: 'VOLUME_NOT_RETIRED', subject: id, message: `volume "${id}" is not retired at its splitter` },
      ]);
    if (!this.#retired.has(id)) return SAME;
    if (dryRun) return CHANGED;
    const { source, marks, spill, trace } = files(id);
    for (const path of [marks, spill, trace]) rmSync(path, { force: true });
    store.commit([VOLUMES_TABLE, CONFIRMED_TABLE, SOURCES_TABLE].map((table) => ({ table, key: id })));
    this.#retired.delete(id);
    onForgotten(id);
    log.warn({ volume: id, source }, 'a volume was forgotten; its disk stays');
    return CHANGED;
  }
}
