// One protected volume's shell: runs the guest's reads and writes on the source file, under marks
// and range locks, and numbers the writes for the stream.
import { MoverError } from '../../../contracts/errors.js';
import type { VolumeId } from '../../../contracts/ids.js';
import type { WriteMark } from '../../../contracts/attempt.js';
import type { SourceState } from '../../../contracts/splitter-api.js';
import { NbdError } from '../../../nbd/errors.js';
import { digestText, type RegionDigester } from '../../digest/region-digest.js';
import { regionsOfPart } from '../../digest/stretches.js';
import type { Allocated } from '../../disk/holes.js';
import { nowMs } from '../shared/clock.js';
import { type FreshMarks, REGION_BYTES } from '../core/marks.js';
import type { VolumeSplit } from '../core/volume-split.js';
import { nbdErrorOf } from '../../disk/errno.js';
import type { HeldAcknowledgements } from './held-acknowledgements.js';
import type { MarksFile } from '../files/marks-file.js';
import { RangeLock } from '../../disk/range-lock.js';
import type { SourceFile } from '../files/source-file.js';
import { longChanges } from './long-changes.js';
import { VolumeScan } from './volume-scan.js';
import { WriteGate } from './write-gate.js';
import type { WriteTrace } from '../files/write-trace.js';
import { isZero } from '../files/zero.js';

/**
 * Longest read or write on the main thread, in bytes: the page cache answers sooner (about 5 µs)
 * than the thread pool (about 25 µs).
 */
const AT_ONCE_BYTES_MAX = 64 * 1024;
/**
 * A longer change waits for a turn of its own, in bytes: the marks of more take a part of a
 * millisecond.
 */
const LONG_BYTES = 256 * 1024 * 1024;
/** Only whole blocks of a file system free room, in bytes: the usual size of one. */
const TRIM_BLOCK_BYTES = 4_096;
/**
 * Longest hold of asynchronous writes while a scan opens, in milliseconds: the same as a cut's
 * hold.
 */
const SCAN_HOLD_MS_MAX = 250;

export type SourceChange =
  | { readonly kind: 'write'; readonly offset: number; readonly length: number; readonly data: Buffer }
  | { readonly kind: 'zeroes'; readonly offset: number; readonly length: number };

/** How a change is made. */
export interface ChangeOptions {
  /** The room of zeroes may be freed. */
  readonly mayPunch?: boolean;
  /** Does nothing where nothing is stored: it is a trim. */
  readonly unlessHole?: boolean;
}

/** Outcome of sending a region again; 'none' when none is left, or there is no room now. */
export type Resent = 'sent' | 'unreadable' | 'none';

/** Calls that report changes of the volume. Each is made often and must be quick. */
export interface VolumeEvents {
  /** There is something new to send. */
  readonly onNumbered: (volume: ProtectedVolume) => void;
  /** A write is kept by its mark only: a short initialization is due. */
  readonly onMarked: (volume: ProtectedVolume) => void;
  /** Marks may be cleared. */
  readonly onSettled: (volume: ProtectedVolume) => void;
  /** The first write made the disk's file: if the file is gone later, it is missing. */
  readonly onMade?: (volume: ProtectedVolume) => void;
}

export interface ProtectedVolumeOptions {
  readonly split: VolumeSplit;
  readonly source: SourceFile;
  readonly marksFile: MarksFile;
  readonly trace?: WriteTrace | undefined;
  readonly held: HeldAcknowledgements;
  /** Whether a write is acknowledged only once its mark and then its data are on stable storage. */
  readonly sync: boolean;
  /**
   * The bitmap was lost and all is marked. Regions of zeroes are then not written anew, so holes
   * stay holes.
   */
  readonly marksLost?: boolean;
  /** An earlier life was comparing. It may have failed to sync what is compared now. */
  readonly resumesComparison?: boolean;
  readonly events: VolumeEvents;
}

export class ProtectedVolume {
  readonly id: VolumeId;
  readonly split: VolumeSplit;
  readonly #source: SourceFile;
  readonly #marksFile: MarksFile;
  readonly #trace: WriteTrace | undefined;
  readonly #held: HeldAcknowledgements;
  readonly #sync: boolean;
  readonly #marksLost: boolean;
  readonly #resumesComparison: boolean;
  readonly #events: VolumeEvents;
  readonly #lock = new RangeLock();
  readonly #gate = new WriteGate();
  #scan: VolumeScan | undefined;
  #guests = 0;
  #barred: string | undefined;
  /** The wait until the replica site knows the disk; guests' requests wait with it. */
  #wait: { readonly over: Promise<void>; readonly end: () => void } | undefined;
  #isClearing = false;
  /** The disk's file exists, and `onMade` was called if a write made it. */
  #isMade: boolean;
  /** Whether the last write failed. */
  #isFailing = false;

  constructor(options: ProtectedVolumeOptions) {
    const {
      split,
      source,
      marksFile,
      trace,
      held,
      sync,
      marksLost = false,
      resumesComparison = false,
      events,
    } = options;
    this.id = split.volume;
    this.split = split;
    this.#source = source;
    this.#marksFile = marksFile;
    this.#trace = trace;
    this.#held = held;
    this.#sync = sync;
    this.#marksLost = marksLost;
    this.#resumesComparison = resumesComparison;
    this.#events = events;
    this.#isMade = source.isWritten;
  }

  get sizeBytes(): number {
    return this.split.row.sizeBytes;
  }

  /** Why guests may not use the disk; undefined when they may. */
  get barred(): string | undefined {
    return this.#barred;
  }

  /**
   * Refuses guests' requests with I/O errors and sends nothing: the disk is missing, foreign,
   * unproven or being recovered, or the volume was retired.
   */
  bar(state: Exclude<SourceState, 'present'>, why: string): void {
    this.#barred = why;
    this.split.sourceState = state;
    this.split.note('source', why);
    this.endWait();
  }

  /** Lets guests use the disk: a person decided about it, or the replica site took it. */
  unbar(): void {
    this.#barred = undefined;
    this.split.sourceState = 'present';
    this.split.note('source', undefined);
    this.endWait();
  }

  /** Holds guests' requests until `unbar`, `bar` or `endWait`: the disk may not be the volume's. */
  barUntilProven(why: string): void {
    this.bar('unproven', why);
    let end = (): void => undefined;
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#wait = { over, end };
  }

  /** Lets waiting requests go on. They get an error if the disk is still barred. */
  endWait(): void {
    this.#wait?.end();
    this.#wait = undefined;
  }

  async #afterWait<T>(wait: Promise<void>, request: () => T | Promise<T>): Promise<T> {
    await wait;
    return request();
  }

  /**
   * Opens the file that now lies in the disk's place, once earlier writes are done. The volume is
   * barred meanwhile.
   */
  async sourceRenewed(): Promise<void> {
    const release = await this.#lock.acquire(0, this.sizeBytes);
    try {
      this.#source.renewed();
    } finally {
      release();
    }
  }

  /**
   * Makes the disk larger, whose row has the new size already. Its last region is marked before the
   * file grows: whatever ends this life, a record follows the growth.
   * @throws the system's error: the files and marks are as before
   */
  grow(formerBytes: number): void {
    const { marks } = this.split;
    const { sizeBytes } = this;
    marks.resize(sizeBytes);
    marks.markDirty([marks.regions - 1]);
    this.#marksFile.resize();
    try {
      this.#source.grow(sizeBytes);
    } catch (error) {
      marks.dropLast();
      marks.resize(formerBytes);
      this.#marksFile.resize();
      throw error;
    }
  }

  /**
   * Numbers a write of zeroes to the new end: no position stands for both sizes. If it can't be
   * numbered now, the region is sent again.
   */
  async numberGrowth(): Promise<void> {
    const offset = this.sizeBytes - REGION_BYTES;
    try {
      await this.change({ kind: 'zeroes', offset, length: REGION_BYTES }, false);
    } catch (error) {
      if (!(error instanceof NbdError)) throw error;
    }
  }

  #refuseBarred(): void {
    if (this.#barred !== undefined) throw new NbdError('EIO', this.#barred);
  }

  /** Connections of guests that have the volume open. */
  get guests(): number {
    return this.#guests;
  }

  guestCame(): void {
    this.#guests += 1;
  }

  guestLeft(): void {
    this.#guests -= 1;
    this.closeIfIdle();
  }

  /** @throws NbdError */
  read(offset: number, length: number): Buffer | Promise<Buffer> {
    if (this.#wait !== undefined) return this.#afterWait(this.#wait.over, () => this.read(offset, length));
    this.#refuseBarred();
    if (length > AT_ONCE_BYTES_MAX || !this.#source.isQuick)
      return this.#source.readLater(offset, length).catch(raiseNbdError);
    try {
      return this.#source.readNow(offset, length);
    } catch (error) {
      throw nbdErrorOf(error);
    }
  }

  /**
   * Marks the regions, writes the source, and numbers the write.
   * @param durable whether the data must be on stable storage at the acknowledgement (FUA).
   * @returns nothing, or a promise, for when the guest may be acknowledged.
   * @throws NbdError when the source, or the mark, could not be written.
   */
  change(change: SourceChange, durable: boolean, how: ChangeOptions = {}): void | Promise<void> {
    if (this.#wait !== undefined) return this.#afterWait(this.#wait.over, () => this.change(change, durable, how));
    this.#refuseBarred();
    const { offset, length } = change;
    if (this.#sync || length > AT_ONCE_BYTES_MAX || !this.#source.isQuick || !this.#lock.isFree(offset, length))
      return this.#changeLater(change, durable, how);
    this.#scan?.beforeNow(offset, length);
    this.#mark(offset, length);
    try {
      if (change.kind === 'write') this.#source.writeNow(offset, change.data);
      else this.#source.zeroNow(offset, length, how.mayPunch);
    } catch (error) {
      throw this.#failed(change, error);
    }
    this.#complete(change);
    return durable ? this.#syncThenAcknowledge() : this.#held.pass(this.id);
  }

  /**
   * Frees the whole file blocks of a range. Source and replica must keep equal contents, so it is a
   * write of zeroes. It changes nothing where nothing is stored, or where room can't be freed.
   * @throws NbdError
   */
  async trim(offset: number, length: number, durable: boolean): Promise<void> {
    if (this.#wait !== undefined) return this.#afterWait(this.#wait.over, () => this.trim(offset, length, durable));
    this.#refuseBarred();
    const from = Math.ceil(offset / TRIM_BLOCK_BYTES) * TRIM_BLOCK_BYTES;
    const end = offset + length;
    const to = end === this.sizeBytes ? end : Math.floor(end / TRIM_BLOCK_BYTES) * TRIM_BLOCK_BYTES;
    if (from >= to || !this.#source.canPunch) return;
    await this.#changeLater({ kind: 'zeroes', offset: from, length: to - from }, durable, {
      mayPunch: true,
      unlessHole: true,
    });
  }

  /**
   * Which parts of the source are holes: see `SourceFile.parts`.
   * @throws NbdError
   */
  async parts(offset: number, length: number, countMax: number): Promise<Allocated[]> {
    await this.#wait?.over;
    this.#refuseBarred();
    return this.#source.parts(offset, length, countMax).catch(raiseNbdError);
  }

  async #changeLater(change: SourceChange, durable: boolean, how: ChangeOptions): Promise<void> {
    const entering = this.#gate.enter();
    if (entering !== undefined) await entering;
    const release = await this.#lock.acquire(change.offset, change.length);
    try {
      if (change.length > LONG_BYTES) await longChanges.turn();
      if (how.unlessHole === true && (await this.#isHole(change))) return;
      // No other scan can open while this write is half-way.
      await this.#scan?.beforeLater(change.offset, change.length);
      await this.#writeSourceLater(change, how);
      this.#complete(change);
    } finally {
      release();
      this.#gate.leave();
    }
    return this.#sync || durable ? this.#syncThenAcknowledge() : this.#held.pass(this.id);
  }

  async #isHole({ offset, length }: SourceChange): Promise<boolean> {
    return this.#source.isHole(offset, length).catch(raiseNbdError);
  }

  async #writeSourceLater(change: SourceChange, { mayPunch }: ChangeOptions): Promise<void> {
    const { offset, length } = change;
    this.#mark(offset, length);
    try {
      // Another write may have set the mark and wait for the same sync.
      if (this.#sync) await this.#syncOrNote(this.#marksFile.whenSynced(offset, length));
      if (change.kind === 'write') await this.#source.writeLater(offset, change.data);
      else {
        const doubted = this.#sync && this.split.marks.isDirty(offset, length);
        await this.#source.zeroLater(offset, length, { doubted, mayPunch: mayPunch === true });
      }
    } catch (error) {
      throw this.#failed(change, error);
    }
  }

  /**
   * Brings all earlier writes and their marks to stable storage.
   * @throws NbdError
   */
  async flush(): Promise<void> {
    try {
      await this.#syncOrNote(Promise.all([this.#source.sync(), this.#marksFile.sync()]));
    } catch (error) {
      throw nbdErrorOf(error);
    }
  }

  /**
   * Notes a failed sync for the administrator.
   * @throws the sync's error
   */
  async #syncOrNote(sync: Promise<unknown> | undefined): Promise<void> {
    try {
      await sync;
    } catch (error) {
      const fails = this.#sync ? 'writes' : 'flushes';
      this.split.note(
        'sync',
        `Volume "${this.id}" could not be synced to its disk, so ${fails} fail and the guest gets I/O errors. Check that disk, then restart the splitter.`,
      );
      throw error;
    }
  }

  async #syncThenAcknowledge(): Promise<void> {
    await this.flush();
    return this.#held.pass(this.id);
  }

  /** @throws NbdError when the mark could not be stored: nothing of the write was done */
  #mark(offset: number, length: number): void {
    const fresh = this.split.begin(offset, length);
    if (fresh.length === 0 && !this.#marksFile.isBehindAt(offset, length)) return;
    try {
      this.#marksFile.store(fresh, offset, length);
    } catch (error) {
      this.split.withdraw(offset, length);
      this.#noteFailure('a write was refused, because its mark could not be stored', error);
      throw nbdErrorOf(error);
    }
  }

  #complete(change: SourceChange): void {
    if (this.#isFailing) this.#noteSuccess();
    if (!this.#isMade) {
      this.#isMade = true;
      this.#events.onMade?.(this);
    }
    const timeMs = nowMs();
    const completion = this.split.complete(change, timeMs);
    if (completion.kind === 'marked') {
      this.#events.onMarked(this);
      return;
    }
    this.#trace?.add({ ...change, session: this.split.session, n: completion.n, timeMs });
    this.#events.onNumbered(this);
  }

  #failed({ offset, length }: SourceChange, error: unknown): NbdError {
    this.split.fail(offset, length, nowMs());
    this.#noteFailure('a write failed, and its regions are sent to the replica site again', error);
    this.#events.onMarked(this);
    return nbdErrorOf(error);
  }

  /** Notes a failed write for the administrator until a write succeeds. */
  #noteFailure(what: string, error: unknown): void {
    this.#isFailing = true;
    const why = error instanceof Error ? error.message : String(error);
    this.split.note(
      'write',
      `Volume "${this.id}": ${what} (${why}). The guest got an I/O error. Check the disk of ${this.#source.path}.`,
    );
  }

  #noteSuccess(): void {
    this.#isFailing = false;
    this.split.note('write', undefined);
  }

  // ---- short initialization ----

  /**
   * Begins a short initialization if it is due and possible.
   * @returns whether one is under way.
   */
  initialize(): boolean {
    const before = this.split.lastN;
    const timeMs = nowMs();
    const isUnderWay = this.split.initialize(timeMs);
    if (this.split.lastN !== before) this.#numberedMarker('initBegin', timeMs);
    return isUnderWay;
  }

  /** Queues the next dirty region as it is at the source now. */
  async resendNext(): Promise<Resent> {
    const range = this.split.nextResend();
    if (range === undefined) return 'none';
    const { region, offset, length } = range;
    const release = await this.#lock.acquire(offset, length);
    try {
      const data = await this.#source.readLater(offset, length).catch((error: unknown) => {
        this.split.passOver(region, `${error instanceof Error ? error.message : String(error)}, ${this.#source.path}`);
      });
      if (data === undefined) return 'unreadable';
      const zero = isZero(data);
      await this.#rewrite(offset, data, zero);
      const copy = zero ? ({ kind: 'zeroes' } as const) : ({ kind: 'write', data } as const);
      const timeMs = nowMs();
      if (!this.split.resent(region, copy, timeMs)) return 'none';
      this.#trace?.add({ ...copy, session: this.split.session, n: this.split.lastN, timeMs, offset, length });
      this.#events.onNumbered(this);
      return 'sent';
    } finally {
      release();
    }
  }

  /**
   * Compares a doubted region with the replica's digest. A region that differs is sent again.
   * @param mark the short initialization that the digest belongs to. Once it is over, the result is
   * dropped.
   */
  async compare(region: number, digest: string | null, digester: RegionDigester, mark: WriteMark): Promise<void> {
    const { marks, row } = this.split;
    const offset = region * REGION_BYTES;
    const length = Math.min(REGION_BYTES, row.sizeBytes - offset);
    const release = await this.#lock.acquire(offset, length);
    try {
      // An unreadable region counts as different; it is sent once it can be read.
      const data = await this.#source.readLater(offset, length).catch(() => undefined);
      const isSame = data !== undefined && digestText(digester.digestOf(data)) === digest;
      if (isSame && this.#resumesComparison) await this.#rewrite(offset, data, isZero(data));
      if (!this.#isInitializing(mark)) return;
      marks.compared(region, isSame);
    } finally {
      release();
    }
    if (marks.settled > 0) this.#events.onSettled(this);
  }

  /** Compares regions that are a hole at the replica. What is a hole here, too, is not read. */
  async compareHole(from: number, regions: number, digester: RegionDigester, mark: WriteMark): Promise<void> {
    const { marks } = this.split;
    for (let region = from; region < from + regions;) {
      const same = await this.#compareHoles(region, from + regions - region, mark);
      if (same === 0 && marks.isDoubted(region)) await this.compare(region, '', digester, mark);
      region += Math.max(same, 1);
    }
    if (marks.settled > 0) this.#events.onSettled(this);
  }

  /** @returns how many of the regions, from the first one on, are a hole here: they are the same */
  async #compareHoles(from: number, regions: number, mark: WriteMark): Promise<number> {
    const { marks, row } = this.split;
    // Zeroes that an earlier life may have failed to sync are written again, by `compare`.
    if (this.#resumesComparison && this.#sync && !this.#marksLost) return 0;
    const offset = from * REGION_BYTES;
    const length = Math.min((from + regions) * REGION_BYTES, row.sizeBytes) - offset;
    const release = await this.#lock.acquire(offset, length);
    try {
      const part = await this.#source.partAt(offset, length).catch(() => ({ length, isHole: false }));
      const found = regionsOfPart(part, from, row.sizeBytes);
      if (!found.isHole) return 0;
      if (this.#isInitializing(mark)) marks.comparedSame(from, from + found.regions);
      return found.regions;
    } finally {
      release();
    }
  }

  /** Whether the short initialization that a digest belongs to is still under way. */
  #isInitializing(mark: WriteMark): boolean {
    const now = this.split.initializationMark;
    return now?.session === mark.session && now.n === mark.n;
  }

  /**
   * Writes data that was just read. An earlier life may have failed to sync it, and only a write
   * makes the sync before the mark is cleared cover it.
   */
  async #rewrite(offset: number, data: Buffer, zero: boolean): Promise<void> {
    if (this.#sync && !(zero && this.#marksLost)) await this.#source.rewrite(offset, data);
  }

  /**
   * Ends the short initialization if nothing is left to be sent again.
   * @returns whether it ended now.
   */
  finishInitialization(): boolean {
    const timeMs = nowMs();
    if (!this.split.finishInitialization(timeMs)) return false;
    this.#numberedMarker('initEnd', timeMs);
    return true;
  }

  #numberedMarker(kind: 'initBegin' | 'initEnd', timeMs: number): void {
    this.#trace?.add({ session: this.split.session, n: this.split.lastN, timeMs, kind, offset: 0, length: 0 });
    this.#events.onNumbered(this);
  }

  // ---- scans ----

  /**
   * Opens a scan of the volume's content as of now, an instant when no write is half-way.
   * @throws MoverError SOURCE_UNREADABLE, NOT_SYNCED, SCAN_BUSY
   */
  async openScan(): Promise<VolumeScan> {
    if (this.#scan !== undefined) throw new MoverError('SCAN_BUSY', `Volume "${this.id}" is being scanned already.`);
    return this.#gate.atRest(SCAN_HOLD_MS_MAX, () => {
      this.split.refuseUnreadable();
      const cut = this.split.standing();
      if ('reason' in cut)
        throw new MoverError('NOT_SYNCED', `Volume "${this.id}" has writes that are known by marks only.`);
      const { session, n } = cut;
      const { id: volume, sizeBytes } = this;
      this.#scan = new VolumeScan({ volume, sizeBytes, mark: { session, n }, atMs: nowMs(), source: this.#source });
      return this.#scan;
    });
  }

  closeScan(scan: VolumeScan, why: string): void {
    scan.end(why);
    if (this.#scan === scan) this.#scan = undefined;
    this.closeIfIdle();
  }

  // ---- marks and files ----

  /**
   * Stores marks that were set without a write.
   * @throws the system's error; the pages stay due, and no write to them goes on before they are
   * stored
   */
  store(fresh: FreshMarks): void {
    this.#marksFile.storeAll(fresh);
  }

  /**
   * Clears the marks of what is durable at the replica site. With `sync`, the source is synced
   * first: otherwise a power cut could take a write from the source that the replica has, without a
   * mark.
   * @throws the system's error. The file then has too many marks, which is safe.
   */
  async clearMarks(): Promise<void> {
    const { marks } = this.split;
    if (!this.#sync) {
      this.#storeCleared(marks.clearSettled());
    } else if (!this.#isClearing && marks.beginClearing() > 0) {
      this.#isClearing = true;
      try {
        await this.#syncOrNote(this.#source.sync());
        this.#storeCleared(marks.finishClearing());
      } finally {
        this.#isClearing = false;
      }
    }
    this.closeIfIdle();
  }

  #storeCleared(regions: readonly number[]): void {
    if (regions.length > 0) this.#marksFile.storeCleared(regions);
  }

  /** Closes the files while no guest has the volume open. */
  closeIfIdle(): void {
    if (this.#guests > 0) return;
    this.#source.close();
    this.#marksFile.close();
    this.#trace?.close();
  }
}

function raiseNbdError(error: unknown): never {
  throw nbdErrorOf(error);
}
