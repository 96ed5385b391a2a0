// Takes in one volume's records from all its streams: decides on each, appends it, and reports what
// became durable.
import { MoverError, type ErrorCode } from '../../../contracts/errors.js';
import type { VolumeId } from '../../../contracts/ids.js';
import { costOf, RECORD_COST_BYTES } from '../../stream/credit.js';
import type { InitBeginFrame, InitEndFrame, RecordFrame } from '../../stream/frame.js';
import { STALL_SHOWN_AFTER_MS } from '../../stream/limits.js';
import { TOUCHED_RUNS_MAX } from '../../stream/payload.js';
import { attach, forkLineage, hear, type Attachment, type Claim, type Refusal } from '../core/attach.js';
import { admit, beginHole, endHole, mendHolesOf } from '../core/records.js';
import { acceptedSize } from '../core/sizes.js';
import { VolumeCredit } from '../core/volume-credit.js';
import { JournalError } from '../journal/terms/errors.js';
import { RECORD_HEADER_BYTES } from '../journal/segments/record-format.js';
import { REASON_LENGTH_MAX, type Durable, type NewRecord, type VolumeJournal } from '../journal/terms/types.js';
import type { Site } from '../site.js';
import { WINDOW_BYTES_MAX } from './limits.js';
import { regionRuns, type RegionRun } from './region-runs.js';

/** A stream's attachment of the volume. */
export interface Attached {
  readonly session: number;
  readonly epoch: number;
  /**
   * Called when a record of the session became durable, or a durable one was sent again: a receipt
   * is due.
   */
  readonly onDurable: () => void;
  /** Called when the attachment ends: no more of its records are taken. */
  readonly onRefused: (code: ErrorCode, message: string) => void;
  /**
   * Called with the bytes it may send in all since it began, and the volume's bytes not applied
   * yet.
   */
  readonly onCredit: (grantedBytes: number, unappliedBytes: number) => void;
}

/**
 * How long an attachment waits for durable records to be applied, milliseconds. After that the
 * changed regions count as unknown.
 */
const APPLIED_WITHIN_MS = 5_000;

/** An attachment, with the regions that the splitter must have marked; undefined if unknown. */
export interface Claimed extends Attachment {
  readonly touched: readonly RegionRun[] | undefined;
}

export interface VolumeIntakeOptions {
  readonly volume: VolumeId;
  readonly site: Site;
  readonly journal: VolumeJournal;
  readonly unappliedBytesMax: number;
  /** Called when a short initialization has ended, with the position of its last record. */
  readonly onInitialized: (volume: VolumeId, position: number) => void;
}

const MIB = 1024 * 1024;

export class VolumeIntake {
  readonly volume: VolumeId;
  readonly #site: Site;
  readonly #journal: VolumeJournal;
  readonly #unappliedBytesMax: number;
  readonly #onInitialized: (volume: VolumeId, position: number) => void;
  readonly #credit: VolumeCredit<Attached>;
  #appendedPosition: number;
  /**
   * When the newest attachment's credit was used up: by the wall clock, to be shown, and by the
   * monotonic one, to be measured.
   */
  #spentSince: { readonly atMs: number; readonly monotonicMs: number } | undefined;
  /**
   * Whether rows of holes may speak of records that never became durable: they are mended before
   * the next record.
   */
  #mayNeedMending = true;
  /** Older sessions are refused: a newer one waits until all they sent is durable. */
  #sessionMin = 0;
  /** Why no more records are taken. */
  #failure: MoverError | undefined;
  /** Callers that wait until everything appended is durable. */
  #waitingForDurable: { readonly resolve: () => void; readonly reject: (error: MoverError) => void }[] = [];

  constructor({ volume, site, journal, unappliedBytesMax, onInitialized }: VolumeIntakeOptions) {
    this.#onInitialized = onInitialized;
    this.volume = volume;
    this.#site = site;
    this.#journal = journal;
    this.#unappliedBytesMax = unappliedBytesMax;
    this.#credit = new VolumeCredit({ windowBytes: Math.min(WINDOW_BYTES_MAX, unappliedBytesMax), unappliedBytesMax });
    this.#appendedPosition = journal.durable.position;
  }

  /** The last durable write of a session; 0 if none. */
  durableOf(session: number): number {
    const { durable } = this.#journal;
    return durable.session === session ? durable.n : 0;
  }

  /**
   * Judges a claim and registers it. A new session counts only once all records of earlier sessions
   * are durable and no more of them are taken: it begins in the lineage where they end.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED; when the journal failed meanwhile
   */
  async claim(claim: Claim): Promise<Claimed | Refusal> {
    if (this.#mayNeedMending) this.#site.change((state) => mendHolesOf(state, this.volume));
    this.#mayNeedMending = false;
    const first = this.#judge(claim);
    if (first.kind === 'refuse') return first;
    if (first.kind !== 'sameSession') {
      this.#sessionMin = Math.max(this.#sessionMin, claim.session);
      await this.#allDurable();
    }
    const judgement = this.#judge(claim);
    if (judgement.kind === 'refuse') return judgement;
    if (judgement.kind === 'fork') {
      const reason = await this.#forkFrom(claim, judgement.reason);
      return this.#site.change((state, now) => forkLineage(state, this.volume, reason, now));
    }
    const touched = judgement.kind === 'newSession' ? await this.#touchedAfter(claim.confirmed) : [];
    // The journal may have failed during the wait: then another intake takes the records.
    if (this.#failure !== undefined) throw this.#failure;
    // A newer session may have attached during the wait, or a move have committed.
    const present = this.#judge(claim);
    if (present.kind === 'refuse') return present;
    if (present.kind === 'fork') return this.claim(claim);
    const attachment = this.#site.change((state) => attach(state, this.volume, claim));
    // Records of its size follow.
    this.#journal.grow(acceptedSize(this.#site.state.volume(this.volume)));
    return { ...attachment, touched };
  }

  /**
   * Begins a new lineage. All attachments end; splitters hear of it when they attach anew.
   * @throws MoverError when the journal fails meanwhile
   */
  async startOver(reason: string): Promise<void> {
    this.#refuseAll(reason);
    await this.#allDurable();
    // An unused lineage that no splitter knows yet will do.
    const { isLineageUnused, lineage } = this.#journal;
    if (!isLineageUnused || this.#site.state.volume(this.volume).lineage === lineage.id)
      await this.#journal.fork(reason.slice(0, REASON_LENGTH_MAX));
    // Attachments made meanwhile were made to the former lineage.
    this.#refuseAll(reason);
    this.#site.change((state, nowMs) => forkLineage(state, this.volume, reason, nowMs));
  }

  /**
   * Begins a new lineage, unless there is an unused one that the splitter doesn't know.
   * @returns why the splitter's lineage ended
   */
  async #forkFrom({ confirmed }: Claim, reason: string): Promise<string> {
    const { isLineageUnused, lineage } = this.#journal;
    if (!isLineageUnused || confirmed?.lineage === lineage.id) {
      await this.#journal.fork(reason);
      return reason;
    }
    return lineage.parent !== undefined && lineage.parent.id === confirmed?.lineage ? lineage.parent.reason : reason;
  }

  #refuseAll(reason: string): void {
    for (const attached of this.#credit.attachments) this.#refuse(attached, 'LINEAGE_FORKED', reason);
  }

  #judge(claim: Claim): ReturnType<typeof hear> {
    return this.#site.change((state, now) => hear(state, this.volume, claim, now));
  }

  /**
   * Regions changed by records that the splitter does not know to be durable; undefined if unknown.
   */
  async #touchedAfter(confirmed: Claim['confirmed']): Promise<readonly RegionRun[] | undefined> {
    const from = confirmed?.position ?? 0;
    if (from >= this.#journal.durable.position) return [];
    const limit = AbortSignal.timeout(APPLIED_WITHIN_MS);
    try {
      const ranges = await this.#journal.changedAfter(from, limit);
      const runs = ranges === undefined ? undefined : regionRuns(ranges);
      return runs === undefined || runs.length > TOUCHED_RUNS_MAX ? undefined : runs;
    } catch (error) {
      // A slow replica or damaged history must not keep the volume from being attached.
      if (limit.aborted || (error instanceof JournalError && (error.code === 'CORRUPT' || error.code === 'DAMAGED')))
        return undefined;
      throw error;
    }
  }

  /** Whether the credit has been used up for a while without a new grant. */
  get isStalled(): boolean {
    return this.#spentSince !== undefined && performance.now() - this.#spentSince.monotonicMs >= STALL_SHOWN_AFTER_MS;
  }

  /** A sentence if the volume is stalled; undefined otherwise. */
  get note(): string | undefined {
    if (this.#spentSince === undefined || !this.isStalled) return undefined;
    const { atMs } = this.#spentSince;
    const [waiting, limit] = [this.#unappliedBytes(), this.#unappliedBytesMax].map((bytes) => Math.ceil(bytes / MIB));
    return (
      `No write of volume "${this.volume}" has been accepted since ${new Date(atMs).toISOString()}: ${waiting} MiB wait to be ` +
      `applied to its replica; the limit is ${limit} MiB. Newer writes wait at the splitter, which then keeps only marks. ` +
      "Other volumes are not affected. It goes on by itself when enough is applied. If the number doesn't fall, check the replica site's log."
    );
  }

  add(attached: Attached): void {
    if (this.#failure !== undefined) {
      attached.onRefused(this.#failure.code, this.#failure.message);
      return;
    }
    this.#credit.add(attached);
    this.#grant();
  }

  remove(attached: Attached): void {
    this.#credit.remove(attached);
    this.#grant();
  }

  /**
   * Takes a record of an attachment. A refused record ends the attachment.
   * @param payloadCrc CRC-32 of the frame's payload, if it was checked on arrival
   */
  take(from: Attached, frame: RecordFrame, payloadCrc?: number): void {
    if (frame.session < this.#sessionMin) {
      this.#refuse(from, 'STALE_SESSION', `A newer session of volume "${this.volume}" is attaching.`);
      return;
    }
    if (!this.#credit.take(from, costOf(frame))) {
      this.#refuse(from, 'CREDIT_EXCEEDED', `Write ${frame.n} of volume "${this.volume}" was sent without credit.`);
      return;
    }
    const misplaced = this.#outside(frame);
    if (misplaced !== undefined) {
      this.#refuse(from, 'INVALID_REQUEST', misplaced);
      return;
    }
    const admission = admit(this.#site.state, this.volume, frame);
    if (admission.kind === 'append') this.#append(from, frame, payloadCrc);
    else if (admission.kind === 'duplicate') from.onDurable();
    else this.#refuse(from, admission.code, admission.message);
    this.#grant();
  }

  /** Call it when the journal reports durable records. */
  durable({ position }: Durable): void {
    if (position === this.#appendedPosition) for (const waiting of this.#waitingForDurable.splice(0)) waiting.resolve();
    for (const attached of this.#credit.attachments) attached.onDurable();
    this.#grant();
  }

  /** Call it when the journal reports applied records. */
  applied(): void {
    this.#grant();
  }

  /**
   * Call it when the journal has dropped records that are not durable: all attachments end, and
   * splitters send them again.
   */
  stalled(error: MoverError): void {
    this.#endAll(error);
    this.#appendedPosition = this.#journal.durable.position;
    this.#mayNeedMending = true;
  }

  /**
   * Call it when the journal failed: all attachments end, and the next one opens the journal anew.
   */
  failed(error: MoverError): void {
    this.#failure = error;
    this.#endAll(error);
  }

  #endAll(error: MoverError): void {
    for (const waiting of this.#waitingForDurable.splice(0)) waiting.reject(error);
    for (const attached of this.#credit.attachments) this.#refuse(attached, error.code, error.message);
  }

  #refuse(attached: Attached, code: ErrorCode, message: string): void {
    this.remove(attached);
    attached.onRefused(code, message);
  }

  #append(from: Attached, frame: RecordFrame, payloadCrc: number | undefined): void {
    if ((frame.type === 'initBegin' || frame.type === 'initEnd') && !this.#storedHole(from, frame)) return;
    this.#appendedPosition = this.#journal.append([recordOf(frame, payloadCrc)]);
    if (frame.type === 'initEnd') this.#onInitialized(this.volume, this.#appendedPosition);
  }

  /**
   * Stores the hole before its record is appended. If it can't be stored, the record is refused,
   * and the splitter sends it again.
   */
  #storedHole(from: Attached, frame: InitBeginFrame | InitEndFrame): boolean {
    try {
      this.#storeHole(frame);
      return true;
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      this.#site.state.accept(this.volume, frame.session, frame.n - 1);
      this.#refuse(from, error.code, error.message);
      return false;
    }
  }

  /**
   * Stores where a hole begins or ends. It must come before the record: even if the process dies
   * between the two, no point may contain what lies in the hole.
   */
  #storeHole(frame: InitBeginFrame | InitEndFrame): void {
    const position = this.#appendedPosition + 1;
    this.#site.change((state) => {
      if (frame.type === 'initEnd') {
        endHole(state, this.volume, position, frame.timeMs);
        return;
      }
      // The hole begins no later than the last durable record: no point before it has later ones.
      const { timeMs } = this.#journal.durable;
      const sinceMs = timeMs > 0 ? Math.min(frame.sinceMs, timeMs) : frame.sinceMs;
      beginHole(state, this.volume, { fromPosition: position, sinceMs, reason: reasonOf(frame) });
    });
  }

  /** Grants credit for the room there is, or says that there is none. */
  #grant(): void {
    const unappliedBytes = this.#unappliedBytes();
    const due = this.#credit.next({ unappliedBytes, unwrittenBytes: this.#unwrittenBytes() });
    this.#spentSince = this.#credit.isSpent
      ? (this.#spentSince ?? { atMs: this.#site.now.wallMs, monotonicMs: performance.now() })
      : undefined;
    due?.to.onCredit(due.grantedBytes, unappliedBytes);
  }

  /** Bytes in memory, by the credit they cost: the bookkeeping of many tiny records counts too. */
  #unwrittenBytes(): number {
    const records = this.#appendedPosition - this.#journal.durable.position;
    return this.#journal.unwrittenBytes + records * (RECORD_COST_BYTES - RECORD_HEADER_BYTES);
  }

  #unappliedBytes(): number {
    return this.#journal.undistributedBytes + this.#journal.unwrittenBytes;
  }

  async #allDurable(): Promise<void> {
    if (this.#journal.durable.position === this.#appendedPosition) return;
    await new Promise<void>((resolve, reject) => {
      this.#waitingForDurable.push({ resolve, reject });
    });
  }

  #outside(frame: RecordFrame): string | undefined {
    if (frame.type !== 'write' && frame.type !== 'zeroes') return undefined;
    const length = frame.type === 'write' ? frame.data.length : frame.length;
    if (length >= 1 && frame.offset + length <= this.#journal.sizeBytes) return undefined;
    return `Write ${frame.n} of volume "${this.volume}" (${length} bytes at ${frame.offset}) is not within its ${this.#journal.sizeBytes} bytes.`;
  }
}

function reasonOf(frame: InitBeginFrame): string {
  return frame.reason.slice(0, REASON_LENGTH_MAX);
}

function recordOf(frame: RecordFrame, payloadCrc: number | undefined): NewRecord {
  const { session, n, epoch, timeMs } = frame;
  switch (frame.type) {
    case 'write':
      return {
        kind: 'write',
        session,
        n,
        epoch,
        timeMs,
        offset: frame.offset,
        data: frame.data,
        dataCrc: payloadCrc,
      };
    case 'zeroes':
      return { kind: 'zeroes', session, n, epoch, timeMs, offset: frame.offset, length: frame.length };
    case 'initBegin':
      return { kind: 'initBegin', session, n, epoch, timeMs, sinceMs: frame.sinceMs, reason: reasonOf(frame) };
    case 'initEnd':
      return { kind: 'initEnd', session, n, epoch, timeMs };
  }
}
