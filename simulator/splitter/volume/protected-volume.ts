// One virtual volume in its shell: the guest's reads and writes on the source file, under marks and
// locks, numbered for the stream.
import { MoverError } from '../../../contracts/errors.js';
import type { VolumeId } from '../../../contracts/ids.js';
import type { WriteMark } from '../../../contracts/attempt.js';
import type { SourceState } from '../../../contracts/splitter-api.js';
import { NbdError } from '../../../nbd/errors.js';
import { digestOf, digestText } from '../../digest/region-digest.js';
import { nowMs } from '../shared/clock.js';
import { REGION_BYTES } from '../core/marks.js';
import type { VolumeSplit } from '../core/volume-split.js';
import { nbdErrorOf } from '../../disk/errno.js';
import type { HeldAcknowledgements } from './held-acknowledgements.js';
import type { MarksFile } from '../files/marks-file.js';
import { RangeLock } from '../../disk/range-lock.js';
import type { SourceFile } from '../files/source-file.js';
import { VolumeScan } from './volume-scan.js';
import { WriteGate } from './write-gate.js';
import type { WriteTrace } from '../files/write-trace.js';
import { isZero } from '../files/zero.js';

/**
 * Up to this many bytes the page cache answers sooner (about 5 µs) than the thread pool would
 * (about 25 µs).
 */
const AT_ONCE_BYTES_MAX = 64 * 1024;
/**
 * Longest time for which a scan's opening may hold up writes that take longer than a tick: as long
 * as a cut's hold.
 */
const SCAN_HOLD_MS_MAX = 250;

export type SourceChange =
  | { readonly kind: 'write'; readonly offset: number; readonly length: number; readonly data: Buffer }
  | { readonly kind: 'zeroes'; readonly offset: number; readonly length: number };

/** What came of sending a region again: 'none' when none is left, or there is no room now. */
export type Resent = 'sent' | 'unreadable' | 'none';

/** What the volume tells its splitter; each is called often and must be quick. */
export interface VolumeEvents {
  /** There is something new to send. */
  readonly onNumbered: (volume: ProtectedVolume) => void;
  /** A write is kept by its mark only: a short initialization is due. */
  readonly onMarked: (volume: ProtectedVolume) => void;
  /** Marks may be cleared. */
  readonly onSettled: (volume: ProtectedVolume) => void;
  /** The first write made the disk's file: from now on it is missed when it is gone. */
  readonly onMade?: (volume: ProtectedVolume) => void;
}

export interface ProtectedVolumeOptions {
  readonly split: VolumeSplit;
  readonly source: SourceFile;
  readonly marksFile: MarksFile;
  readonly trace?: WriteTrace | undefined;
  readonly held: HeldAcknowledgements;
  /**
   * Whether each write is acknowledged only when it, and before it its mark, is on stable storage.
   */
  readonly sync: boolean;
  /**
   * The bitmap was lost, and all is marked: regions of zeroes are not written anew, so that holes
   * stay holes.
   */
  readonly marksLost?: boolean;
  /** An earlier life was comparing, and may have failed to sync what is compared now. */
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
  /** While guests' requests wait for the replica site's word about the disk. */
  #wait: { readonly over: Promise<void>; readonly end: () => void } | undefined;
  #isClearing = false;
  /** The disk's file is there, and those who must know were told. */
  #isMade: boolean;
  /** The last write failed. */
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
   * From now on guests get I/O errors, and nothing is sent: the disk is not the one that is
   * replicated.
   */
  bar(state: Exclude<SourceState, 'present'>, why: string): void {
    this.#barred = why;
    this.split.sourceState = state;
    this.split.note('source', why);
    this.endWait();
  }

  /** Guests may use the disk: a person decided what it is, or the replica site took it. */
  unbar(): void {
    this.#barred = undefined;
    this.split.sourceState = 'present';
    this.split.note('source', undefined);
    this.endWait();
  }

  /**
   * The disk is not known to be the volume's: guests' requests wait until it is decided, or until
   * `endWait`.
   */
  barUntilProven(why: string): void {
    this.bar('unproven', why);
    let end = (): void => undefined;
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#wait = { over, end };
  }

  /** Requests that wait go on, and get an error if the disk is still barred. */
  endWait(): void {
    this.#wait?.end();
    this.#wait = undefined;
  }

  async #afterWait<T>(wait: Promise<void>, request: () => T | Promise<T>): Promise<T> {
    await wait;
    return request();
  }

  /**
   * Another file lies in the disk's place; the volume is barred. Waits for writes that began
   * before.
   */
  async sourceRenewed(): Promise<void> {
    const release = await this.#lock.acquire(0, this.sizeBytes);
    this.#source.renewed();
    release();
  }

  #refuseBarred(): void {
    if (this.#barred !== undefined) throw new NbdError('EIO', this.#barred);
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
   * Marks, writes the source, numbers. Complete when the guest may be told so.
   * @param durable whether it must be on stable storage then (FUA).
   * @throws NbdError when the source, or the mark, could not be written.
   */
  change(change: SourceChange, durable: boolean): void | Promise<void> {
    if (this.#wait !== undefined) return this.#afterWait(this.#wait.over, () => this.change(change, durable));
    this.#refuseBarred();
    const { offset, length } = change;
    if (this.#sync || length > AT_ONCE_BYTES_MAX || !this.#source.isQuick || !this.#lock.isFree(offset, length))
      return this.#changeLater(change, durable);
    this.#scan?.beforeNow(offset, length);
    this.#mark(offset, length);
    try {
      if (change.kind === 'write') this.#source.writeNow(offset, change.data);
      else this.#source.zeroNow(offset, length);
    } catch (error) {
      throw this.#failed(change, error);
    }
    this.#complete(change);
    return durable ? this.#syncThenAcknowledge() : this.#held.pass(this.id);
  }

  async #changeLater(change: SourceChange, durable: boolean): Promise<void> {
    const entering = this.#gate.enter();
    if (entering !== undefined) await entering;
    const release = await this.#lock.acquire(change.offset, change.length);
    try {
      // No other scan can be opened while this write is half-way.
      await this.#scan?.beforeLater(change.offset, change.length);
      await this.#writeSourceLater(change);
      this.#complete(change);
    } finally {
      release();
      this.#gate.leave();
    }
    return this.#sync || durable ? this.#syncThenAcknowledge() : this.#held.pass(this.id);
  }

  async #writeSourceLater(change: SourceChange): Promise<void> {
    const { offset, length } = change;
    this.#mark(offset, length);
    try {
      // Another write may have set the mark, and be waiting for the same sync.
      if (this.#sync) await this.#noting(this.#marksFile.whenSynced(offset, length));
      if (change.kind === 'write') await this.#source.writeLater(offset, change.data);
      else await this.#source.zeroLater(offset, length, this.#sync && this.split.marks.isDirty(offset, length));
    } catch (error) {
      throw this.#failed(change, error);
    }
  }

  /**
   * Everything written before is on stable storage when it resolves, with its marks.
   * @throws NbdError
   */
  async flush(): Promise<void> {
    try {
      await this.#noting(Promise.all([this.#source.sync(), this.#marksFile.sync()]));
    } catch (error) {
      throw nbdErrorOf(error);
    }
  }

  /** @throws what the sync throws, once an administrator is told. */
  async #noting(sync: Promise<unknown> | undefined): Promise<void> {
    try {
      await sync;
    } catch (error) {
      const fails = this.#sync ? 'writes' : 'flushes';
      this.split.note(
        'sync',
        `Volume "${this.id}" could not be brought to stable storage: ${fails} fail until the splitter is started again.`,
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
      this.#noteFailure('A mark could not be stored', error);
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
    this.#noteFailure('A write failed, and what it touched is sent again', error);
    this.#events.onMarked(this);
    return nbdErrorOf(error);
  }

  /** The guest was told; so is the administrator, until a write succeeds. */
  #noteFailure(what: string, error: unknown): void {
    this.#isFailing = true;
    const why = error instanceof Error ? error.message : String(error);
    this.split.note(
      'write',
      `Volume "${this.id}": ${what} (${why}); the guest was told so. Look at the disk of ${this.#source.path}.`,
    );
  }

  #noteSuccess(): void {
    this.#isFailing = false;
    this.split.note('write', undefined);
  }

  // ---- short initialization ----

  /** Begins one if it is due and possible. @returns whether one is under way. */
  initialize(): boolean {
    const before = this.split.lastN;
    const timeMs = nowMs();
    const isUnderWay = this.split.initialize(timeMs);
    if (this.split.lastN !== before) this.#numberedMarker('initBegin', timeMs);
    return isUnderWay;
  }

  /** Queues the next marked region as it is at the source now. */
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
   * Compares a doubted region with the digest of the replica's; what differs is sent again.
   * @param mark of the short initialization that the digest belongs to: when it is over, so is the
   * comparison.
   */
  async compare(region: number, digest: string | null, mark: WriteMark): Promise<void> {
    const { marks, row } = this.split;
    const offset = region * REGION_BYTES;
    const length = Math.min(REGION_BYTES, row.sizeBytes - offset);
    const release = await this.#lock.acquire(offset, length);
    try {
      // One that can't be read is sent again when it can.
      const data = await this.#source.readLater(offset, length).catch(() => undefined);
      const isSame = data !== undefined && digestText(digestOf(data)) === digest;
      if (isSame && this.#resumesComparison) await this.#rewrite(offset, data, isZero(data));
      const now = this.split.initializationMark;
      if (now?.session !== mark.session || now.n !== mark.n) return;
      marks.compared(region, isSame);
    } finally {
      release();
    }
    if (marks.settled > 0) this.#events.onSettled(this);
  }

  /**
   * What an earlier life failed to sync reads back all the same. Its mark goes only after a sync,
   * which needs a write.
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
   * The volume's content as of now, for comparing: at an instant at which every write is either
   * numbered or not begun.
   * @throws MoverError SOURCE_UNREADABLE, NOT_SYNCED, SCAN_BUSY
   */
  async openScan(): Promise<VolumeScan> {
    if (this.#scan !== undefined) throw new MoverError('SCAN_BUSY', `Volume "${this.id}" is being scanned already.`);
    return this.#gate.atRest(SCAN_HOLD_MS_MAX, () => {
      this.split.refuseUnreadable();
      const standing = this.split.standing();
      if ('reason' in standing)
        throw new MoverError('NOT_SYNCED', `Volume "${this.id}" has writes that are known by marks only.`);
      const { session, n } = standing;
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
   * @throws the system's error; the pages stay due, and no write goes on before them
   */
  store(regions: readonly number[]): void {
    this.#marksFile.storeAll(regions);
  }

  /**
   * Clears the marks of what is durable at the replica site; with sync, of what is on stable
   * storage here too: a power cut could otherwise take from the source what the replica has, with
   * no mark to tell.
   * @throws the system's error; the file then has marks too many, which is safe.
   */
  async clearMarks(): Promise<void> {
    const { marks } = this.split;
    if (!this.#sync) {
      this.#storeCleared(marks.clearSettled());
    } else if (!this.#isClearing && marks.beginClearing() > 0) {
      this.#isClearing = true;
      try {
        await this.#noting(this.#source.sync());
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

  /** Gives the file descriptors back while no guest has the volume open. */
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
