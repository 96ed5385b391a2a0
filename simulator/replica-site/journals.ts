// The journals of all volumes, opened when first needed: thousands of idle volumes must cost nearly
// nothing.
import { join } from 'node:path';
import { MoverError } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import { lineageIdSchema, type LineageId } from '../../contracts/lineage.js';
import type { Lineages } from './core/rows.js';
import type { RoomReserve } from '../disk/room-reserve.js';
import { failureOfJournal } from './journal-failure.js';
import type { JournalError } from './journal/terms/errors.js';
import { isRefusal } from './journal/files/file-refusal.js';
import type { Files } from './journal/terms/files.js';
import { processFiles } from './journal/files/node-files.js';
import { spareFiles } from './journal/files/spare-files.js';
import { rebuildVolumeJournal } from './journal/rebuild.js';
import type { Durable, JournalLog, JournalOptions, StalledPart, VolumeJournal } from './journal/terms/types.js';
import { openVolumeJournal } from './journal/volume-journal.js';

export interface JournalEvents {
  /**
   * A journal was opened, for the first time or after a failure: what was appended but not durable
   * is gone.
   */
  readonly onOpened: (volume: VolumeId) => void;
  readonly onDurable: (volume: VolumeId, durable: Durable) => void;
  readonly onApplied: (volume: VolumeId) => void;
  /** A file was refused. Of `intake`: what was appended and isn't durable is gone. */
  readonly onStalled: (volume: VolumeId, part: StalledPart, error: JournalError) => void;
  /** Blocks of the replica image are damaged, and were not known to be. */
  readonly onReplicaDamaged: (volume: VolumeId) => void;
  /** The journal takes nothing more until it is opened again. */
  readonly onFailed: (volume: VolumeId, error: unknown) => void;
  /** A person has it rebuilt: it takes nothing more until that is done. */
  readonly onRebuild: (volume: VolumeId, error: MoverError) => void;
}

export interface JournalsOptions {
  /** One folder a volume in it, made at the volume's first record. */
  readonly directory: string;
  readonly sync: boolean;
  /** Room for opening journals and for letting go of history on a full disk. */
  readonly reserve: Pick<RoomReserve, 'give'>;
  /** @throws MoverError VOLUME_NOT_FOUND */
  readonly sizeOf: (volume: VolumeId) => number;
  /**
   * Positions that a volume had up to this one when the process started, as the rows say; 0 if they
   * say nothing.
   */
  readonly knownPosition: (volume: VolumeId) => number;
  readonly events: JournalEvents;
  readonly log: JournalLog;
  /** Default: the real file system. */
  readonly files?: Files;
  /** Default: the journal's own. */
  readonly segmentBytes?: number;
}

function beingRebuilt(volume: VolumeId): MoverError {
  return new MoverError('VOLUME_BUSY', `The journal of volume "${volume}" is being rebuilt, because a person said so.`);
}

const NOTHING: Durable = { position: 0, session: 0, n: 0, timeMs: 0 };

export class Journals implements Lineages {
  readonly #options: JournalsOptions;
  /**
   * Volumes that had records when the process started; the others had none, and need no look at the
   * disk.
   */
  readonly #withFolder: ReadonlySet<string>;
  readonly #journals = new Map<VolumeId, VolumeJournal>();
  readonly #opening = new Map<VolumeId, Promise<VolumeJournal>>();
  readonly #unusable = new Map<VolumeId, unknown>();
  #closed = false;

  constructor(options: JournalsOptions) {
    this.#options = options;
    const { files = processFiles, directory } = options;
    files.makeDirectory(directory);
    this.#withFolder = new Set(files.list(directory));
  }

  /** Volumes whose journal can't be used, with why. */
  get unusable(): ReadonlyMap<VolumeId, unknown> {
    return this.#unusable;
  }

  /** Those that are open, for work that has no need of the others. */
  get open(): ReadonlyMap<VolumeId, VolumeJournal> {
    return this.#journals;
  }

  hasRecords(volume: VolumeId): boolean {
    return this.#journals.has(volume) || this.#withFolder.has(volume) || this.#options.knownPosition(volume) > 0;
  }

  /**
   * The journal, opened if need be; one that failed is opened again.
   * @throws MoverError VOLUME_NOT_FOUND, CORRUPT, INTERNAL
   */
  async journal(volume: VolumeId): Promise<VolumeJournal> {
    const known = this.#journals.get(volume);
    if (known !== undefined && known.failure === undefined) return known;
    return this.#opened(volume, this.#opening.get(volume) ?? this.#open(volume, known, openVolumeJournal));
  }

  /**
   * Makes the journal usable again, whatever lies in its folder, and begins a new lineage. Whoever
   * is attached has to attach anew. May be repeated. What has to be sent again is `toResend` of the
   * answer.
   * @throws MoverError VOLUME_NOT_FOUND, INTERNAL
   */
  async rebuild(volume: VolumeId, reason: string): Promise<VolumeJournal> {
    this.#options.sizeOf(volume);
    await this.#opening.get(volume)?.catch(() => undefined);
    const known = this.#journals.get(volume);
    if (known !== undefined) {
      const error = beingRebuilt(volume);
      this.#journals.delete(volume);
      this.#unusable.set(volume, error);
      this.#options.events.onRebuild(volume, error);
    }
    const rebuilding = async (options: JournalOptions) => rebuildVolumeJournal(options, reason);
    return this.#opened(volume, this.#open(volume, known, rebuilding));
  }

  async #opened(volume: VolumeId, opening: Promise<VolumeJournal>): Promise<VolumeJournal> {
    this.#opening.set(volume, opening);
    try {
      return await opening;
    } catch (error) {
      throw failureOfJournal(volume, error);
    }
  }

  /**
   * Makes known what is durable of the volumes, so that the rules can ask for it. A volume whose
   * journal can't be opened counts as one without records; it is named in `unusable`.
   */
  async lookAt(volumes: Iterable<VolumeId>): Promise<void> {
    const unknown = [...volumes].filter(
      (volume) => !this.#journals.has(volume) && this.hasRecords(volume) && !this.#unusable.has(volume),
    );
    for (const volume of unknown) await this.journal(volume).catch(() => undefined);
  }

  /** The same, but no volume may be unusable. @throws MoverError as `journal` */
  async require(volumes: Iterable<VolumeId>): Promise<void> {
    for (const volume of volumes) {
      if (this.hasRecords(volume)) await this.journal(volume);
    }
  }

  /**
   * Tries those again whose disk refused to let them be opened: nobody may ask for them. Never
   * rejects.
   */
  async openRefused(): Promise<void> {
    for (const [volume, error] of this.#unusable) {
      if (this.#closed) return;
      if (isRefusal(error)) await this.journal(volume).catch(() => undefined);
    }
  }

  durable(volume: VolumeId): Durable {
    return this.#known(volume)?.durable ?? NOTHING;
  }

  soundPosition(volume: VolumeId, position: number): number {
    return this.#known(volume)?.soundPosition(position) ?? 0;
  }

  lineage(volume: VolumeId): LineageId {
    const journal = this.#known(volume);
    if (journal === undefined) throw new Error(`The journal of volume "${volume}" has not been opened.`);
    return lineageIdSchema.parse(journal.lineage.id);
  }

  appliedPosition(volume: VolumeId): number {
    return this.#known(volume)?.applied.position ?? 0;
  }

  undistributedBytes(volume: VolumeId): number {
    return this.#known(volume)?.undistributedBytes ?? 0;
  }

  sessionBase(volume: VolumeId, session: number): number | undefined {
    return this.#known(volume)?.sessionBase(session);
  }

  /** Finishes what was appended. May be called again. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#opening.values());
    await Promise.all([...this.#journals.values()].map((journal) => journal.close()));
  }

  async #open(
    volume: VolumeId,
    earlier: VolumeJournal | undefined,
    openJournal: (options: JournalOptions) => Promise<VolumeJournal>,
  ): Promise<VolumeJournal> {
    const {
      directory,
      sync,
      reserve,
      sizeOf,
      knownPosition,
      events,
      log,
      files = processFiles,
      segmentBytes,
    } = this.#options;
    try {
      await earlier?.close();
      const journal = await openJournal({
        directory: join(directory, volume),
        sizeBytes: sizeOf(volume),
        sync,
        // What this process called durable itself, it remembers.
        knownPosition: Math.max(knownPosition(volume), earlier?.durable.position ?? 0),
        files,
        spareFiles: spareFiles(files, reserve),
        ...(segmentBytes === undefined ? {} : { segmentBytes }),
        onDurable: (durable) => events.onDurable(volume, durable),
        onApplied: () => events.onApplied(volume),
        onStalled: (part, error) => events.onStalled(volume, part, error),
        // What is found before it is opened the opening itself deals with.
        onReplicaDamaged: () => {
          if (this.#journals.has(volume)) events.onReplicaDamaged(volume);
        },
        onFailed: (error) => {
          this.#unusable.set(volume, error);
          events.onFailed(volume, error);
        },
        log,
      });
      this.#journals.set(volume, journal);
      this.#unusable.delete(volume);
      events.onOpened(volume);
      if (this.#closed) await journal.close();
      return journal;
    } catch (error) {
      if (this.hasRecords(volume)) this.#unusable.set(volume, error);
      throw error;
    } finally {
      this.#opening.delete(volume);
    }
  }

  #known(volume: VolumeId): VolumeJournal | undefined {
    const journal = this.#journals.get(volume);
    if (journal === undefined && this.hasRecords(volume) && !this.#unusable.has(volume)) {
      throw new Error(`The journal of volume "${volume}" has not been looked at.`);
    }
    return journal;
  }
}
