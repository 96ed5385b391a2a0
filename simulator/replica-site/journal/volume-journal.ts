// One replica volume's storage engine: DO, UNDO, replica image and distribution put together.
import { abortReason } from './abort-reason.js';
import { Appender } from './do/appender.js';
import { Aside } from './files/aside.js';
import { accepted, damageAt, isWhole, rangesToResend, soundPosition, withRecords } from './terms/damage.js';
import type { ByteRange, Damage } from './terms/damage.js';
import { Distributor } from './distributor.js';
import { JournalError } from './terms/errors.js';
import { HistoryLoss, withReplica } from './undo/history-loss.js';
import type { FoundDamage } from './images/image.js';
import { newLineage } from './terms/lineage.js';
import type { Lineage } from './terms/lineage.js';
import { isRefusal, stalledBy } from './files/file-refusal.js';
import { processFiles } from './files/node-files.js';
import { OpenImages } from './images/open-images.js';
import { PositionWaiters } from './position-waiters.js';
import type { Loss } from './recovery/loss.js';
import type { BadPayload } from './recovery/recovered-segments.js';
import { damageOf, recover } from './recovery/recovery.js';
import type { Recovered } from './recovery/recovery.js';
import { assertAscending, intervalStart, isOpenable } from './terms/retained-positions.js';
import { Retention } from './retention.js';
import { SEGMENT_HEADER_BYTES } from './segments/segment-format.js';
import { processTurns } from './turns.js';
import type {
  Applied,
  ChangedRange,
  Changes,
  Durable,
  Image,
  JournalOptions,
  JournalStats,
  NewRecord,
  RetainResult,
  Stall,
  StalledPart,
  VolumeJournal,
} from './terms/types.js';
import type { Retained } from './terms/retained-positions.js';
import { changesOf } from './undo/changes-between.js';
import { UndoBytes } from './undo/undo-bytes.js';
import { UndoLog } from './undo/undo-log.js';

/** Default size of a segment file, bytes: the unit of trimming and of consolidation. */
const SEGMENT_BYTES = 16 * 1024 * 1024;
/**
 * Largest size of a segment file, bytes. Offsets in it are 32-bit numbers, and one group of records
 * may exceed the size.
 */
const SEGMENT_BYTES_MAX = 1024 * 1024 * 1024;

type ResolvedOptions = JournalOptions &
  Required<Pick<JournalOptions, 'files' | 'spareFiles' | 'segmentBytes' | 'sync'>>;

/**
 * Opens the journal in a folder and recovers what an earlier process left there. A volume without
 * records gets no folder. A damaged journal opens too: `damage`, `toResend` and, if records were
 * lost, a new `lineage` tell what the damage costs.
 * @throws JournalError SIZE_MISMATCH, OUT_OF_RANGE; CORRUPT, FAILED if the disk fails meanwhile
 */
export async function openVolumeJournal(options: JournalOptions): Promise<VolumeJournal> {
  return openCheckedJournal(options);
}

/** A journal with what only a rebuild does. */
export interface CheckedJournal extends VolumeJournal {
  /** Checks all of UNDO, and notes the damage. */
  checkUndo(): Promise<void>;
  /**
   * Marks lost history as known to people: positions that need it still report it, the journal's
   * own notes no longer do.
   */
  acceptLosses(): Promise<void>;
}

/**
 * Opens like `openVolumeJournal`. With `checksReplica` it reads all of the replica image before it
 * distributes anything.
 */
export async function openCheckedJournal(
  options: JournalOptions,
  { checksReplica = false } = {},
): Promise<CheckedJournal> {
  const { sizeBytes, segmentBytes = SEGMENT_BYTES, sync = false, files = processFiles, log } = options;
  const { knownPosition = 0 } = options;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 1) {
    throw new JournalError('OUT_OF_RANGE', `a volume cannot have ${sizeBytes} bytes`);
  }
  if (!Number.isSafeInteger(segmentBytes) || segmentBytes <= SEGMENT_HEADER_BYTES || segmentBytes > SEGMENT_BYTES_MAX) {
    throw new JournalError('OUT_OF_RANGE', `a segment cannot have ${segmentBytes} bytes`);
  }
  const resolved = { ...options, files, spareFiles: options.spareFiles ?? files, segmentBytes, sync };
  const recovered = await recover({ ...resolved, log, knownPosition });
  const { replica } = recovered;
  if (checksReplica) await replica.check([{ offset: 0, length: Math.min(replica.end, sizeBytes) }]);
  const journal = new OpenJournal(resolved, recovered);
  try {
    if (recovered.loss !== undefined) await journal.endLineage(recovered.loss);
    else await journal.doubtReplica();
    await journal.noteBadUndo(recovered.badUndo);
    return journal;
  } catch (error) {
    // The caller will open it again: two journals must not distribute at once.
    await journal.close().catch(() => undefined);
    throw error;
  }
}

class OpenJournal implements CheckedJournal {
  readonly #options: ResolvedOptions;
  readonly #recovered: Recovered;
  readonly #undo: UndoLog;
  readonly #images: OpenImages;
  readonly #history: HistoryLoss;
  readonly #appender: Appender;
  readonly #distributor: Distributor;
  readonly #retention: Retention;
  readonly #undoBytes: UndoBytes;
  readonly #waiters = new PositionWaiters();
  #lineage: Lineage;
  /** Position where the lineage began, if it began since this opening. */
  #lineageBegan: number | undefined;
  #isNotingReplica = false;
  #onHeldUp: ((cause: Error) => void) | undefined;
  readonly #stalls = new Map<StalledPart, Stall>();
  #failure: JournalError | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedOptions, recovered: Recovered) {
    const { files, spareFiles, directory, segmentBytes, sync, log } = options;
    const { manifest, doLog, undoLog, replica, durable } = recovered;
    this.#options = options;
    this.#recovered = recovered;
    this.#lineage = manifest.lineage;
    this.#lineageBegan = recovered.isLineageNew ? durable.position : undefined;
    const aside = new Aside(files, directory, sync);
    const undo = new UndoLog(files, undoLog, aside);
    const onDamage = (found: FoundDamage): Promise<void> => this.#noteFound(found);
    const images = new OpenImages({ files, replica, undo, onDamage });
    const applied = (): Durable => this.#distributor.applied;
    const history = new HistoryLoss({ files, sync, manifest, replica, undo, aside, log, applied });
    this.#history = history;
    this.#undo = undo;
    this.#images = images;
    const onFailed = (error: unknown): void => {
      this.#fail(error);
    };
    const onStalled = (error: Error): void => {
      this.#stall('distribution', error);
    };
    this.#appender = new Appender(manifest, doLog, durable, {
      onDurable: (group, doBytes) => {
        this.#endStall('intake');
        this.#distributor.extend(group.position, doBytes);
        this.#options.onDurable?.(group);
      },
      onFailed: (error) => {
        if (isRefusal(error)) this.#stall('intake', error);
        else this.#fail(error);
      },
    });
    const parts = { files, directory, sync, manifest, history, doLog, undo, replica, images, turns: processTurns, log };
    this.#distributor = new Distributor(parts, recovered, durable.position, {
      onApplied: (applied) => {
        this.#waiters.reached(applied.position);
        this.#options.onApplied?.(applied);
      },
      onStalled,
      onStallEnded: () => this.#endStall('distribution'),
      onFailed,
    });
    this.#undoBytes = new UndoBytes(files, undo);
    this.#retention = new Retention({
      files: spareFiles,
      manifest,
      replica,
      undo,
      images,
      history,
      segmentBytes,
      sync,
      applied,
    });
    replica.onDamageFound(() => this.#noteReplica());
    this.#distributor.resume();
  }

  get sizeBytes(): number {
    return this.#recovered.manifest.sizeBytes;
  }

  grow(sizeBytes: number): void {
    this.#assertUsable();
    this.#recovered.manifest.grow(sizeBytes);
    this.#recovered.replica.grow(this.sizeBytes);
  }

  get isLineageUnused(): boolean {
    return this.#lineageBegan !== undefined && this.#lineageBegan === this.#appender.appended.position;
  }

  get lineage(): Lineage {
    return this.#lineage;
  }

  get damage(): readonly Damage[] {
    const { manifest, replica } = this.#recovered;
    return withReplica(manifest.damage, replica);
  }

  get toResend(): readonly ByteRange[] | 'all' | undefined {
    return rangesToResend(this.damage);
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

  get unwrittenBytes(): number {
    return this.#appender.unwrittenBytes;
  }

  get failure(): JournalError | undefined {
    return this.#failure;
  }

  get stalls(): ReadonlyMap<StalledPart, Stall> {
    return this.#stalls;
  }

  soundPosition(position: number): number {
    return soundPosition(this.#recovered.manifest.damage, Math.min(position, this.durable.position));
  }

  sessionBase(session: number): number | undefined {
    return this.#recovered.manifest.sessions.base(session);
  }

  locate(position: number): Applied | undefined {
    if (position > this.#appender.appended.position) return undefined;
    const place = this.#recovered.manifest.locate(position);
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
      if (!isRefusal(error)) throw this.#fail(error);
      manifest.lineage = this.#lineage;
      throw this.#stall('intake', error);
    }
    this.#setLineage(forked);
    this.#options.log?.info(
      { directory: this.#options.directory, ...forked.parent, fork: forked.id },
      'a new lineage begins: the histories differ',
    );
    return forked;
  }

  async changedAfter(position: number, signal?: AbortSignal): Promise<readonly ChangedRange[] | undefined> {
    this.#assertUsable();
    assertPosition(position);
    await this.whenApplied(this.durable.position, signal);
    const { retained } = this.#recovered.manifest;
    const from = position >= retained.everyFrom ? position : intervalStart(retained, position + 1);
    if (from < this.trimPosition) return undefined;
    const ranges: ChangedRange[] = [];
    for (const extract of this.#undo.extractsAfter(from)) {
      const index = await this.#undo.index(extract);
      for (let record = index.firstAfter(from); record < index.count; record += 1)
        ranges.push({ offset: index.offset(record), length: index.length(record) });
    }
    if (this.#images.count === 0) this.#undo.forgetIndexes();
    return ranges;
  }

  async changedBetween(from: number, to: number, signal?: AbortSignal): Promise<Changes> {
    this.#assertUsable();
    assertPosition(from);
    assertPosition(to);
    if (from > to) throw new JournalError('OUT_OF_RANGE', `position ${from} is after position ${to}`);
    if (to > this.durable.position) throw this.#beyondDurable(to);
    await this.whenApplied(to, signal);
    for (;;) {
      this.#assertUsable();
      this.#assertOpenable(from, false);
      try {
        return await this.#images.keeping(from, async () => changesOf(this.#undo, from, to, signal));
      } catch (error) {
        if (!(await this.#giveUpDamaged(error))) throw error;
      }
    }
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

  async openImage(position: number, signal?: AbortSignal, evenInHole = false): Promise<Image> {
    this.#assertUsable();
    assertPosition(position);
    if (position > this.durable.position) throw this.#beyondDurable(position);
    await this.whenApplied(position, signal);
    for (;;) {
      this.#assertUsable();
      this.#assertOpenable(position, evenInHole);
      try {
        return await this.#images.open(position);
      } catch (error) {
        // The damaged UNDO is given up now. The position may not need it, so try again.
        if (!(await this.#giveUpDamaged(error))) throw error;
      }
    }
  }

  async openReplica(): Promise<Image> {
    this.#assertUsable();
    return this.#images.open(this.applied.position);
  }

  damageAt(position: number): Damage | undefined {
    return damageAt(this.#recovered.manifest.damage, position);
  }

  async retain(retained: Retained, signal?: AbortSignal): Promise<RetainResult> {
    this.#assertUsable();
    assertAscending(retained.positions);
    assertPosition(retained.everyFrom);
    let abortError: Error | undefined;
    const assertGoingOn = (): void => {
      this.#assertUsable();
      if (signal?.aborted !== true) return;
      abortError = abortReason(signal);
      throw abortError;
    };
    try {
      const result = await this.#retention.retain(retained, assertGoingOn);
      this.#endStall('retention');
      return result;
    } catch (error) {
      if (isRefusal(error) && error !== abortError) throw this.#stall('retention', error);
      const closed = error instanceof JournalError && error.code === 'CLOSED';
      throw closed || error === abortError ? error : this.#fail(error);
    }
  }

  async undoBytesAfter(positions: readonly number[]): Promise<readonly number[]> {
    this.#assertUsable();
    assertAscending(positions);
    for (;;) {
      try {
        return await this.#undoBytes.after(positions);
      } catch (error) {
        if (!(await this.#giveUpDamaged(error))) throw error;
      }
    }
  }

  /**
   * Ends a lineage whose last records are lost: applies its sound records, and begins a new lineage
   * after every position that ever existed. Call it before anybody else has the journal.
   */
  async endLineage({ drainTo, place, ...loss }: Loss): Promise<void> {
    await this.#whenDrained(drainTo);
    await this.#distributor.pause();
    await this.#distributor.deleteApplied(0);
    const { manifest, replica } = this.#recovered;
    const { directory, sync, log } = this.#options;
    if (sync) await replica.commit();
    this.#undo.seal();
    const { after, upTo } = loss;
    const last = Math.max(drainTo, this.#undo.segments.at(-1)?.lastPosition ?? 0);
    const continued = { position: upTo, session: 0, n: 0, timeMs: this.durable.timeMs };
    const reason = `records ${after + 1} to ${upTo} are lost`;
    manifest.floor = { position: upTo, timeMs: continued.timeMs };
    manifest.jumps = [...manifest.jumps, [last, upTo]];
    manifest.damage = withRecords(manifest.damage, damageOf({ ...loss, drainTo, place }));
    manifest.lineage = newLineage({ id: this.#lineage.id, position: after, reason });
    await manifest.save();
    this.#appender.continueFrom(continued);
    this.#setLineage(manifest.lineage);
    this.#distributor.continueFrom(continued);
    this.#distributor.resume();
    log?.warn({ directory, ...place, ...manifest.lineage }, 'records were lost: a new lineage begins');
  }

  /**
   * Begins a new lineage if blocks of the replica image are damaged, though no record is lost: a
   * splitter compares the whole volume only when it attaches to another lineage. Call it before
   * anybody else has the journal.
   */
  async doubtReplica(): Promise<void> {
    const replica = this.damage.find((damage) => damage.kind === 'replica');
    if (replica === undefined) return;
    await this.#distributor.pause();
    const { manifest } = this.#recovered;
    const { file, offset } = replica;
    const bytes = replica.ranges.reduce((sum, { length }) => sum + length, 0);
    const reason = `${bytes} bytes of the replica image fail their checksum (${file}, byte ${offset})`;
    manifest.lineage = newLineage({ id: this.#lineage.id, position: this.durable.position, reason });
    await manifest.save();
    this.#setLineage(manifest.lineage);
    this.#distributor.resume();
    this.#options.log?.warn(
      { file, offset, bytes, ...manifest.lineage },
      'the replica is in doubt: a new lineage begins',
    );
  }

  /** Notes old data that recovery found damaged. */
  async noteBadUndo(bad: readonly BadPayload[]): Promise<void> {
    for (const { header, file, fileOffset } of bad) {
      if (header.kind === 'oldData') await this.#history.note(header, { file, offset: fileOffset });
    }
  }

  async checkUndo(): Promise<void> {
    this.#assertUsable();
    await this.#whenDrained(this.durable.position);
    for (;;) {
      try {
        await this.#undo.checkPayloads((header, place) => this.#history.note(header, place));
        break;
      } catch (error) {
        if (!(await this.#giveUpDamaged(error))) throw error;
      }
    }
  }

  async acceptLosses(): Promise<void> {
    this.#assertUsable();
    const { manifest, replica } = this.#recovered;
    manifest.damage = withReplica(manifest.damage, replica).map(accepted);
    await manifest.save();
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
      // Spares the next opening the re-reading of applied records.
      if (this.#failure === undefined) await this.#distributor.deleteApplied(0);
    } catch (error) {
      if (!isRefusal(error)) throw error;
    } finally {
      this.#options.files.release(this.#options.directory);
    }
  }

  #beyondDurable(position: number): JournalError {
    const last = this.durable.position;
    return new JournalError('BEYOND_DURABLE', `position ${position} is beyond ${last}, the last durable one`);
  }

  #assertOpenable(position: number, evenInHole: boolean): void {
    const { damage, retained } = this.#recovered.manifest;
    const found = damageAt(evenInHole ? damage.filter((one) => one.kind !== 'records') : damage, position);
    if (found !== undefined && isWhole(found)) throw damagedAt(position, found);
    if (position < this.trimPosition) {
      throw new JournalError('TRIMMED', `position ${position} is before ${this.trimPosition}, where history begins`);
    }
    if (!isOpenable(retained, position)) {
      throw new JournalError(
        'TRIMMED',
        `position ${position} is not retained: its history was dropped, between others that are kept`,
      );
    }
  }

  /** Gives up damaged UNDO that the error names. False if it names none, or none is given up. */
  async #giveUpDamaged(error: unknown): Promise<boolean> {
    const place = error instanceof JournalError && error.code === 'CORRUPT' ? error.place : undefined;
    if (place === undefined) return false;
    this.#assertUsable();
    return this.#retention
      .exclusively(() => this.#retention.lose(place))
      .catch((failure: unknown) => {
        throw this.#fail(failure);
      });
  }

  #setLineage(lineage: Lineage): void {
    this.#lineage = lineage;
    this.#lineageBegan = this.#appender.appended.position;
  }

  /**
   * Waits like `whenApplied`, but rejects at once with the disk's error when distribution stalls:
   * whoever opens the journal tries again.
   */
  async #whenDrained(position: number): Promise<void> {
    const stalled = new AbortController();
    this.#onHeldUp = (error) => stalled.abort(error);
    try {
      const stall = this.#stalls.get('distribution');
      if (stall !== undefined) throw stall.error.cause;
      await this.whenApplied(position, stalled.signal);
    } finally {
      this.#onHeldUp = undefined;
    }
  }

  /** Stores damage that a read found, for the next opening, and reports it. */
  #noteReplica(): void {
    if (this.#isNotingReplica) return;
    this.#isNotingReplica = true;
    setImmediate(() => {
      this.#isNotingReplica = false;
      void this.#storeReplicaDamage();
    });
  }

  async #storeReplicaDamage(): Promise<void> {
    if (this.#failure !== undefined || this.#closing !== undefined) return;
    const { manifest } = this.#recovered;
    const { damage } = this;
    if (damage === manifest.damage) return;
    manifest.damage = damage;
    try {
      await manifest.save();
    } catch (error) {
      if (!isRefusal(error)) {
        this.#fail(error);
        return;
      }
      // The next change stores it; the damage is reported all the same.
      this.#options.log?.warn({ directory: this.#options.directory, err: error }, 'damage could not be stored yet');
    }
    this.#options.onReplicaDamaged?.();
  }

  async #noteFound({ position, imagePosition, offset, length, place }: FoundDamage): Promise<void> {
    if (this.#failure !== undefined || this.#closing !== undefined) return;
    const header = { position: position ?? imagePosition + 1, offset, length };
    await this.#history.note(header, place).catch((error: unknown) => this.#fail(error));
  }

  #assertUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing !== undefined) throw closed();
  }

  #stall(part: StalledPart, cause: Error): JournalError {
    const error = stalledBy(cause);
    const known = this.#stalls.get(part);
    // Logged once, not at every retry.
    const { directory, log } = this.#options;
    if (known === undefined) log?.warn({ directory, part, err: cause }, 'the journal is held up by its disk');
    if (part === 'distribution') this.#onHeldUp?.(cause);
    this.#stalls.set(part, { error, sinceMs: known?.sinceMs ?? Date.now() });
    this.#options.onStalled?.(part, error);
    return error;
  }

  #endStall(part: StalledPart): void {
    const { directory, log } = this.#options;
    if (this.#stalls.delete(part)) log?.info({ directory, part }, 'the disk works again: the journal goes on');
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

function damagedAt(position: number, { kind, file, offset }: Damage): JournalError {
  const what = kind === 'records' ? 'needs records that are lost' : 'needs old data that is damaged or lost';
  const place = { file, offset, position };
  return new JournalError('DAMAGED', `position ${position} ${what} (${file} at byte ${offset})`, { place });
}

function assertPosition(position: number): void {
  if (!Number.isSafeInteger(position) || position < 0) {
    throw new JournalError('OUT_OF_RANGE', `${position} is not a position`);
  }
}

function closed(): JournalError {
  return new JournalError('CLOSED', 'the journal is closed');
}
