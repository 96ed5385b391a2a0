// The journals of all volumes. Each is opened when first needed, so that thousands of idle volumes
// cost nearly nothing.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { MoverError } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import { lineageIdSchema, type LineageId } from '../../contracts/lineage.js';
import type { Lineages } from './core/rows.js';
import { syncFolder } from '../disk/folder-names.js';
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
   * Called when a journal was opened, for the first time or after a failure. Records appended
   * before but not durable are gone.
   */
  readonly onOpened: (volume: VolumeId) => void;
  readonly onDurable: (volume: VolumeId, durable: Durable) => void;
  readonly onApplied: (volume: VolumeId) => void;
  /**
   * Called when the disk refused a file. For `intake`, records appended but not durable are gone.
   */
  readonly onStalled: (volume: VolumeId, part: StalledPart, error: JournalError) => void;
  /** Called when damaged blocks of the replica image were found that were not known yet. */
  readonly onReplicaDamaged: (volume: VolumeId) => void;
  /** Called when the journal failed: it refuses all calls until it is opened again. */
  readonly onFailed: (volume: VolumeId, error: unknown) => void;
  /**
   * Called when a person has the journal rebuilt or removed: the former one refuses all calls.
   */
  readonly onRebuild: (volume: VolumeId, error: MoverError) => void;
}

export interface JournalsOptions {
  /** Holds one folder for each volume, created at the volume's first record. */
  readonly directory: string;
  readonly sync: boolean;
  /** Room for opening journals and for dropping history on a full disk. */
  readonly reserve: Pick<RoomReserve, 'give'>;
  /** @throws MoverError VOLUME_NOT_FOUND */
  readonly sizeOf: (volume: VolumeId) => number;
  /**
   * The last position that a volume had when the process started, according to the rows; 0 if
   * unknown.
   */
  readonly knownPosition: (volume: VolumeId) => number;
  readonly events: JournalEvents;
  readonly log: JournalLog;
  /** Default: the real file system. */
  readonly files?: Files;
  /** Default: the journal's default. */
  readonly segmentBytes?: number;
}

function beingRebuilt(volume: VolumeId): MoverError {
  return new MoverError(
    'VOLUME_BUSY',
    `The journal of volume "${volume}" is being rebuilt, because a person ordered it.`,
  );
}

const NOTHING: Durable = { position: 0, session: 0, n: 0, timeMs: 0 };

export class Journals implements Lineages {
  readonly #options: JournalsOptions;
  /**
   * Volumes with a folder when the process started. The others had no records, and need no look at
   * the disk.
   */
  readonly #withFolder: Set<string>;
  readonly #journals = new Map<VolumeId, VolumeJournal>();
  readonly #opening = new Map<VolumeId, Promise<VolumeJournal>>();
  readonly #unusable = new Map<VolumeId, unknown>();
  /** Volumes that were removed in this life: a later one of the name has no history. */
  readonly #removed = new Set<VolumeId>();
  #closed = false;

  constructor(options: JournalsOptions) {
    this.#options = options;
    const { files = processFiles, directory } = options;
    files.makeDirectory(directory);
    this.#withFolder = new Set(files.list(directory));
  }

  /** Volumes whose journal can't be used, each with the error. */
  get unusable(): ReadonlyMap<VolumeId, unknown> {
    return this.#unusable;
  }

  /** Open journals, for work that needs no others. */
  get open(): ReadonlyMap<VolumeId, VolumeJournal> {
    return this.#journals;
  }

  hasRecords(volume: VolumeId): boolean {
    return this.#journals.has(volume) || this.#withFolder.has(volume) || this.#knownPosition(volume) > 0;
  }

  /**
   * The volume's journal. Opens it if it isn't open, or has failed.
   * @throws MoverError VOLUME_NOT_FOUND, CORRUPT, STORAGE_FULL, STORAGE_FAILED, INTERNAL
   */
  async journal(volume: VolumeId): Promise<VolumeJournal> {
    const known = this.#journals.get(volume);
    if (known !== undefined && known.failure === undefined) return known;
    return this.#opened(volume, this.#opening.get(volume) ?? this.#open(volume, known, openVolumeJournal));
  }

  /**
   * Makes the journal usable again, whatever lies in its folder, and begins a new lineage.
   * Splitters must attach anew. May be repeated. The answer's `toResend` says what must be sent
   * again.
   * @throws MoverError VOLUME_NOT_FOUND, CORRUPT, STORAGE_FULL, STORAGE_FAILED, INTERNAL
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

  /**
   * Removes the volume's folder with all its history. May be repeated.
   * @param error what who still has the journal is told
   */
  async remove(volume: VolumeId, error: MoverError): Promise<void> {
    const { directory, sync, files = processFiles, events } = this.#options;
    for (;;) {
      await this.#opening.get(volume)?.catch(() => undefined);
      const known = this.#journals.get(volume);
      if (known === undefined) break;
      this.#journals.delete(volume);
      events.onRebuild(volume, error);
      // What it could not write is removed all the same.
      await known.close().catch(() => undefined);
    }
    const folder = join(directory, volume);
    files.release(folder);
    rmSync(folder, { recursive: true, force: true });
    // Otherwise a power cut could bring the folder back, and a later volume would find it.
    if (sync) syncFolder(directory);
    this.#withFolder.delete(volume);
    this.#unusable.delete(volume);
    this.#removed.add(volume);
  }

  #knownPosition(volume: VolumeId): number {
    return this.#removed.has(volume) ? 0 : this.#options.knownPosition(volume);
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
   * Opens the volumes' journals, so that the rules can ask what is durable. A volume whose journal
   * can't be opened counts as one without records, and is in `unusable`.
   */
  async openAll(volumes: Iterable<VolumeId>): Promise<void> {
    const unknown = [...volumes].filter(
      (volume) => !this.#journals.has(volume) && this.hasRecords(volume) && !this.#unusable.has(volume),
    );
    for (const volume of unknown) await this.journal(volume).catch(() => undefined);
  }

  /**
   * Opens the volumes' journals; fails if one is unusable.
   * @throws MoverError as `journal`
   */
  async require(volumes: Iterable<VolumeId>): Promise<void> {
    for (const volume of volumes) {
      if (this.hasRecords(volume)) await this.journal(volume);
    }
  }

  /**
   * Tries again to open the journals that the disk refused to open: perhaps nobody else asks for
   * them. Never rejects.
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

  /** Writes what was appended, and closes all journals. May be called again. */
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
    const { directory, sync, reserve, sizeOf, events, log, files = processFiles, segmentBytes } = this.#options;
    try {
      await earlier?.close();
      const journal = await openJournal({
        directory: join(directory, volume),
        sizeBytes: sizeOf(volume),
        sync,
        // This process remembers what it reported as durable itself.
        knownPosition: Math.max(this.#knownPosition(volume), earlier?.durable.position ?? 0),
        files,
        spareFiles: spareFiles(files, reserve),
        ...(segmentBytes === undefined ? {} : { segmentBytes }),
        onDurable: (durable) => events.onDurable(volume, durable),
        onApplied: () => events.onApplied(volume),
        onStalled: (part, error) => events.onStalled(volume, part, error),
        // Damage found during the opening is handled by the opening.
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
      throw new Error(`The journal of volume "${volume}" has not been checked yet.`);
    }
    return journal;
  }
}
