// A person's decision about a disk that is missing or foreign. Marks are stored first, then the
// disk is put in place, then its identity is stored. A kill in between leaves the volume refused or
// wholly compared, and the decision can be repeated.
import { closeSync, fsyncSync, ftruncateSync, openSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import type { Credentials } from '../../../control/credentials.js';
import { controlUrl, type Estate } from '../../../contracts/estate.js';
import { MoverError } from '../../../contracts/errors.js';
import type { VolumeId } from '../../../contracts/ids.js';
import type { DecideSourceInput } from '../../../contracts/repair.js';
import type { SourceState } from '../../../contracts/splitter-api.js';
import { syncFolder } from '../../disk/folder-names.js';
import { storageFailure } from '../../store/storage-failure.js';
import { nowMs } from '../shared/clock.js';
import type { SplitterCore } from '../core/splitter-core.js';
import { newSourceId } from '../shared/identities.js';
import type { ProtectedVolume } from '../volume/protected-volume.js';
import { orderedBy, refuseFenced, storeMarksOf } from '../marks/resync.js';
import type { SourceChecks } from './source-checks.js';
import { copyImage, openPoint, type OpenedPoint } from './source-recovery.js';
import type { VolumeFiles } from '../files/volume-files.js';

const MIB = 1024 * 1024;

export interface SourceDecisionsOptions {
  readonly core: SplitterCore;
  readonly checks: SourceChecks;
  readonly files: (volume: VolumeId) => VolumeFiles;
  readonly estate: Estate;
  readonly credentials: Credentials | undefined;
  /** The disk may be used again: the volume is attached anew and compared. */
  readonly onDecided: (volume: ProtectedVolume) => void;
  readonly log: Logger;
}

export class SourceDecisions {
  readonly #options: SourceDecisionsOptions;
  readonly #running = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(options: SourceDecisionsOptions) {
    this.#options = options;
  }

  /**
   * Carries out a decision. `recover` is answered once the recovery point is open; copying
   * continues afterwards.
   * @throws MoverError SOURCE_PRESENT, SOURCE_DECISION_REFUSED, VOLUME_BUSY, STORAGE_FULL,
   * STORAGE_FAILED; for `recover` POINT_NOT_FOUND, POINT_UNAVAILABLE, UNREACHABLE
   */
  async decide(volume: ProtectedVolume, input: DecideSourceInput): Promise<void> {
    const { sourceState } = volume.split;
    if (sourceState === 'present')
      throw new MoverError('SOURCE_PRESENT', `The source of volume "${volume.id}" is there and in use.`);
    if (sourceState === 'recovering') {
      if (input.decision === 'recover') return;
      throw refused(volume, 'it is being recovered from its replica. Wait for the end: volume-mover volumes');
    }
    if (sourceState === 'unproven' && input.decision === 'recover')
      throw refused(
        volume,
        'the replica site has not said yet whether it has a replica. Start it and the appliance: if it has one, the disk here is refused as foreign, and this command works',
      );
    refuseFenced(volume);
    if (input.decision === 'recover') await this.#startRecovery(volume, input, sourceState);
    else await this.#take(volume, input.decision, input);
  }

  /** Ends recoveries under way, unfinished. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the splitter is stopping'));
    await Promise.all(this.#running);
  }

  async #take(volume: ProtectedVolume, decision: 'accept' | 'accept-blank', input: DecideSourceInput): Promise<void> {
    const { source } = this.#options.files(volume.id);
    const disk = statSync(source, { throwIfNoEntry: false });
    const isBlank = disk === undefined || disk.size === 0 || disk.blocks === 0;
    if (decision === 'accept-blank' && !isBlank)
      throw refused(
        volume,
        `a disk with content lies at ${source}. To take it as it is: volume-mover source accept ${volume.id}. To begin with an empty one, move that file away first`,
      );
    if (decision === 'accept' && disk?.size !== volume.sizeBytes)
      throw refused(
        volume,
        `no disk of ${volume.sizeBytes} bytes lies at ${source}. For an empty one: volume-mover source accept-blank ${volume.id}; from the replica: volume-mover source recover ${volume.id}`,
      );
    if (volume.split.sourceState === 'unproven') {
      this.#acceptUnproven(volume);
      return;
    }
    const what = decision === 'accept' ? 'the disk that is there was accepted' : 'an empty disk was accepted';
    await this.#replace(volume, orderedBy(what, input), () => {
      if (decision === 'accept-blank') makeBlank(source, volume.sizeBytes);
    });
  }

  /**
   * Lifts only the wait for a proof. If the replica was made from another disk, the replica site
   * still refuses this one, and the replica is kept.
   */
  #acceptUnproven(volume: ProtectedVolume): void {
    const { core, onDecided, log } = this.#options;
    core.changeRows([volume.id], (split) => split.vouchForSource());
    volume.unbar();
    log.warn({ volume: volume.id }, 'a disk that the replica site has not seen was accepted by a person');
    onDecided(volume);
  }

  async #startRecovery(
    volume: ProtectedVolume,
    input: DecideSourceInput,
    before: Exclude<SourceState, 'present'>,
  ): Promise<void> {
    const { estate, credentials } = this.#options;
    const { route } = volume.split.row;
    const others = estate.appliances.map(({ control }) => controlUrl(control)).filter((url) => url !== route.url);
    const why = volume.barred ?? '';
    volume.bar('recovering', `The source of volume "${volume.id}" is to be recovered: its replica is being opened.`);
    let opened: OpenedPoint;
    try {
      opened = await openPoint({
        volume: volume.id,
        sizeBytes: volume.sizeBytes,
        point: input.point,
        appliances: [route.url, ...others],
        credentials,
      });
    } catch (error) {
      volume.bar(before, why);
      throw error;
    }
    const running = this.#recover(volume, input, opened).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      this.#options.log.error({ err: error, volume: volume.id }, 'a source could not be recovered');
      volume.bar(
        before,
        `${why} Its recovery from point ${opened.point} did not succeed (${message}): nothing was changed.`,
      );
    });
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
  }

  async #recover(volume: ProtectedVolume, input: DecideSourceInput, { point, image }: OpenedPoint): Promise<void> {
    const { source } = this.#options.files(volume.id);
    const draft = `${source}.recovering`;
    const totalBytes = volume.sizeBytes;
    const progressed = (doneBytes: number): void => {
      volume.bar(
        'recovering',
        `The source of volume "${volume.id}" is being recovered from point ${point}: ${Math.floor(doneBytes / MIB)} of ${Math.ceil(totalBytes / MIB)} MiB. Guests get I/O errors until it is done.`,
      );
      volume.split.recovery = { point, doneBytes, totalBytes };
    };
    progressed(0);
    try {
      await copyImage(image, draft, {
        sizeBytes: totalBytes,
        onProgress: progressed,
        signal: this.#stopping.signal,
      });
      await this.#replace(volume, orderedBy(`the source was recovered from point ${point}`, input), () => {
        renameSync(draft, source);
        syncFolder(dirname(source));
      });
    } finally {
      volume.split.recovery = undefined;
      await image.disconnect().catch(() => undefined);
    }
  }

  /**
   * Puts a disk in place, under a new identity, and has it compared.
   * @param put moves the disk to its place
   */
  async #replace(volume: ProtectedVolume, reason: string, put: () => void): Promise<void> {
    const { core, checks, files, onDecided, log } = this.#options;
    const { source, marks } = files(volume.id);
    await storeMarksOf(volume, marks, () => volume.split.doubt(reason, nowMs()));
    try {
      put();
    } catch (error) {
      throw storageFailure(source, error);
    }
    await volume.sourceRenewed();
    core.replaceSource(volume.id, newSourceId());
    checks.note([[volume.id, source]], false);
    volume.unbar();
    volume.split.note(
      'doubt',
      `Volume "${volume.id}": ${reason}. It is compared with its replica, and what differs is sent again; until then no new recovery point contains it.`,
    );
    log.warn({ volume: volume.id, reason }, 'a person’s decision about a source is in force');
    onDecided(volume);
  }
}

function refused({ id }: ProtectedVolume, why: string): MoverError {
  return new MoverError(
    'SOURCE_DECISION_REFUSED',
    `The decision about the source of volume "${id}" is refused: ${why}. Nothing was changed.`,
  );
}

/** Makes a disk that is one hole. Its presence says that an empty disk was accepted. */
function makeBlank(path: string, sizeBytes: number): void {
  const fd = openSync(path, 'a');
  try {
    ftruncateSync(fd, sizeBytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  syncFolder(dirname(path));
}
