// One replica volume's storage engine: DO, UNDO, replica image and distribution put together.
import { abortReason } from './abort-reason.js';
import { Appender } from './appender.js';
import { Distributor } from './distributor.js';
import { JournalError } from './errors.js';
import { newLineage } from './lineage.js';
import type { Lineage } from './lineage.js';
import { processFiles } from './node-files.js';
import { OpenImages } from './open-images.js';
import { PositionWaiters } from './position-waiters.js';
import { recover } from './recovery.js';
import type { Recovered } from './recovery.js';
import { assertAscending, isOpenable } from './retained-positions.js';
import { Retention } from './retention.js';
import { SEGMENT_HEADER_BYTES } from './segment-format.js';
import { processTurns } from './turns.js';
import type {
  Applied,
  Durable,
  Image,
  JournalOptions,
  JournalStats,
  NewRecord,
  RetainResult,
  Retained,
  VolumeJournal,
} from './types.js';
import { UndoBytes } from './undo-bytes.js';
import { UndoLog } from './undo-log.js';

/** Default size of a segment file, bytes: what a trim can free at once, and consolidation looks at at once. */
const SEGMENT_BYTES = 16 * 1024 * 1024;
/** Largest size of a segment file, bytes: places in it are 32-bit numbers, and a group may exceed the size. */
const SEGMENT_BYTES_MAX = 1024 * 1024 * 1024;

type ResolvedOptions = JournalOptions & Required<Pick<JournalOptions, 'files' | 'segmentBytes' | 'sync'>>;

/**
 * Opens the journal in a folder, recovering what an earlier process left there. A volume without records gets no folder.
 * @throws JournalError CORRUPT, SIZE_MISMATCH, OUT_OF_RANGE
 */
export async function openVolumeJournal(options: JournalOptions): Promise<VolumeJournal> {
  const { sizeBytes, segmentBytes = SEGMENT_BYTES, sync = false, files = processFiles, log } = options;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 1) {
    throw new JournalError('OUT_OF_RANGE', `a volume cannot have ${sizeBytes} bytes`);
  }
  if (!Number.isSafeInteger(segmentBytes) || segmentBytes <= SEGMENT_HEADER_BYTES || segmentBytes > SEGMENT_BYTES_MAX) {
    throw new JournalError('OUT_OF_RANGE', `a segment cannot have ${segmentBytes} bytes`);
  }
  const resolved = { ...options, files, segmentBytes, sync };
  const recovered = await recover({ ...resolved, log });
  return new OpenJournal(resolved, recovered);
}

class OpenJournal implements VolumeJournal {
  readonly sizeBytes: number;
  readonly #options: ResolvedOptions;
  readonly #recovered: Recovered;
  readonly #undo: UndoLog;
  readonly #images: OpenImages;
  readonly #appender: Appender;
  readonly #distributor: Distributor;
  readonly #retention: Retention;
  readonly #undoBytes: UndoBytes;
  readonly #waiters = new PositionWaiters();
  #lineage: Lineage;
  #failure: JournalError | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedOptions, recovered: Recovered) {
    const { files, directory, sizeBytes, segmentBytes, sync, log } = options;
    const { manifest, doLog, undoLog, replica, durable } = recovered;
    this.sizeBytes = sizeBytes;
    this.#options = options;
    this.#recovered = recovered;
    this.#lineage = manifest.lineage;
    const undo = new UndoLog(files, undoLog);
    const images = new OpenImages({ files, sizeBytes, replica, undo });
    this.#undo = undo;
    this.#images = images;
    const onFailed = (error: unknown): void => {
      this.#fail(error);
    };
    this.#appender = new Appender(manifest, doLog, durable, {
      onDurable: (group, doBytes) => {
        this.#distributor.extend(group.position, doBytes);
        this.#options.onDurable?.(group);
      },
      onFailed,
    });
    const parts = { files, directory, sync, doLog, undo, replica, images, turns: processTurns, log };
    this.#distributor = new Distributor(parts, recovered, durable.position, {
      onApplied: (applied) => {
        this.#waiters.reached(applied.position);
        this.#options.onApplied?.(applied);
      },
      onFailed,
    });
    this.#undoBytes = new UndoBytes(files, undo);
    const applied = (): Durable => this.#distributor.applied;
    this.#retention = new Retention({ files, manifest, replica, undo, images, segmentBytes, sync, log, applied });
    this.#distributor.resume();
  }

  get lineage(): Lineage {
    return this.#lineage;
  }

  get durable(): Durable {
    return this.#appender.durable;
  }

  get applied(): Applied {
    return this.#distributor.applied;
  }

  get trimPosition(): number {
    return this.#recovered.manifest.trimPosition;
  }

  get undistributedBytes(): number {
    return this.#distributor.backlogBytes;
  }

  get failure(): JournalError | undefined {
    return this.#failure;
  }

  sessionBase(session: number): number | undefined {
    return this.#recovered.manifest.sessions.base(session);
  }

  locate(position: number): Applied | undefined {
    if (position > this.#appender.appended.position) return undefined;
    const place = this.#recovered.manifest.sessions.locate(position);
    return place === undefined ? undefined : { position, ...place };
  }

  append(records: readonly NewRecord[]): number {
    this.#assertUsable();
    return this.#appender.append(records);
  }

  async fork(reason: string): Promise<Lineage> {
    this.#assertUsable();
    await this.#appender.idle();
    this.#assertUsable();
    const { manifest } = this.#recovered;
    const forked = newLineage({ id: this.#lineage.id, position: this.durable.position, reason });
    manifest.lineage = forked;
    try {
      await manifest.save();
    } catch (error) {
      throw this.#fail(error);
    }
    this.#lineage = forked;
    this.#options.log?.info({ directory: this.#options.directory, ...forked.parent, fork: forked.id }, 'forked');
    return forked;
  }

  pauseDistribution(): Promise<void> {
    return this.#distributor.pause();
  }

  resumeDistribution(): void {
    this.#assertUsable();
    this.#distributor.resume();
  }

  async whenApplied(position: number, signal?: AbortSignal): Promise<void> {
    this.#assertUsable();
    assertPosition(position);
    if (this.applied.position < position) await this.#waiters.add(position, signal);
  }

  async openImage(position: number, signal?: AbortSignal): Promise<Image> {
    this.#assertUsable();
    assertPosition(position);
    if (position > this.durable.position) {
      throw new JournalError(
        'BEYOND_DURABLE',
        `position ${position} is beyond ${this.durable.position}, the last durable one`,
      );
    }
    await this.whenApplied(position, signal);
    this.#assertUsable();
    if (position < this.trimPosition) {
      throw new JournalError('TRIMMED', `position ${position} is before ${this.trimPosition}, where history begins`);
    }
    if (!isOpenable(this.#recovered.manifest.retained, position)) {
      throw new JournalError('TRIMMED', `position ${position} was let go of, between others that are retained`);
    }
    return this.#images.open(position);
  }

  async retain(retained: Retained, signal?: AbortSignal): Promise<RetainResult> {
    this.#assertUsable();
    assertAscending(retained.positions);
    assertPosition(retained.everyFrom);
    let gaveUp: Error | undefined;
    const assertGoingOn = (): void => {
      this.#assertUsable();
      if (signal?.aborted !== true) return;
      gaveUp = abortReason(signal);
      throw gaveUp;
    };
    try {
      return await this.#retention.retain(retained, assertGoingOn);
    } catch (error) {
      const closed = error instanceof JournalError && error.code === 'CLOSED';
      throw closed || error === gaveUp ? error : this.#fail(error);
    }
  }

  async undoBytesAfter(positions: readonly number[]): Promise<readonly number[]> {
    this.#assertUsable();
    assertAscending(positions);
    return this.#undoBytes.after(positions);
  }

  stats(): JournalStats {
    return {
      doBytes: this.#recovered.doLog.bytes,
      undoBytes: this.#undo.bytes,
      appendedRecords: this.#appender.count,
      appliedRecords: this.#distributor.count,
      openImages: this.#images.count,
      damagedBlocks: this.#distributor.damagedBlocks,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#waiters.rejectAll(closed());
    await this.#appender.idle();
    await this.#distributor.pause();
    await this.#retention.idle();
    this.#images.closeAll();
    try {
      // Nothing is left to apply: the next opening has nothing to read again.
      if (this.#failure === undefined) await this.#distributor.deleteApplied(0);
    } finally {
      this.#options.files.release(this.#options.directory);
    }
  }

  #assertUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing !== undefined) throw closed();
  }

  #fail(error: unknown): JournalError {
    if (this.#failure !== undefined) return this.#failure;
    const known = error instanceof JournalError;
    const failure = known ? error : new JournalError('FAILED', "the volume's files failed", { cause: error });
    this.#failure = failure;
    void this.#distributor.pause();
    this.#waiters.rejectAll(failure);
    this.#options.onFailed?.(failure);
    return failure;
  }
}

function assertPosition(position: number): void {
  if (!Number.isSafeInteger(position) || position < 0) {
    throw new JournalError('OUT_OF_RANGE', `${position} is no position`);
  }
}

function closed(): JournalError {
  return new JournalError('CLOSED', 'the journal is closed');
}
