// Takes in one volume's records, whichever stream brings them: decides on each, appends it, and
// tells what became durable.
import { MoverError, type ErrorCode } from '../../../contracts/errors.js';
import type { VolumeId } from '../../../contracts/ids.js';
import { costOf, RECORD_COST_BYTES } from '../../stream/credit.js';
import type { InitBeginFrame, InitEndFrame, RecordFrame } from '../../stream/frame.js';
import { STALL_TOLD_AFTER_MS } from '../../stream/limits.js';
import { TOUCHED_RUNS_MAX } from '../../stream/payload.js';
import { attach, forkLineage, hear, type Attachment, type Claim, type Refusal } from '../core/attach.js';
import { admit, beginHole, endHole, mendHolesOf } from '../core/records.js';
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
  /** Something of the session became durable, or was sent again though it is. */
  readonly onDurable: () => void;
  /** Nothing more is taken from it. */
  readonly onRefused: (code: ErrorCode, message: string) => void;
  /**
   * So much may be sent in all since the attachment began, while so much of the volume is not
   * applied.
   */
  readonly onCredit: (grantedBytes: number, unappliedBytes: number) => void;
}

/**
 * How long an attachment waits until what is durable is applied too, in milliseconds: then what was
 * changed counts as not known.
 */
const APPLIED_WITHIN_MS = 5_000;

/** An attachment, and what the splitter must have marked. */
export interface Claimed extends Attachment {
  readonly touched: readonly RegionRun[] | undefined;
}

export interface VolumeIntakeOptions {
  readonly volume: VolumeId;
  readonly site: Site;
  readonly journal: VolumeJournal;
  readonly unappliedBytesMax: number;
  /** As of the intakes. */
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
   * Since when the newest attachment has had no credit: by the wall clock for people, by the other
   * for its length.
   */
  #spentSince: { readonly atMs: number; readonly monotonicMs: number } | undefined;
  /**
   * Rows of holes may speak of records that are not durable: to be mended before the next record.
   */
  #mayNeedMending = true;
  /** Sessions below are refused: a newer one waits until what they sent is durable. */
  #sessionMin = 0;
  /** Why nothing more is taken here. */
  #failure: MoverError | undefined;
  /** Those who wait until everything appended is durable. */
  #settling: { readonly resolve: () => void; readonly reject: (error: MoverError) => void }[] = [];

  constructor({ volume, site, journal, unappliedBytesMax, onInitialized }: VolumeIntakeOptions) {
    this.#onInitialized = onInitialized;
    this.volume = volume;
    this.#site = site;
    this.#journal = journal;
    this.#unappliedBytesMax = unappliedBytesMax;
    this.#credit = new VolumeCredit({ windowBytes: Math.min(WINDOW_BYTES_MAX, unappliedBytesMax), unappliedBytesMax });
    this.#appendedPosition = journal.durable.position;
  }

  /** What is durable of a session. */
  durableOf(session: number): number {
    const { durable } = this.#journal;
    return durable.session === session ? durable.n : 0;
  }

  /**
   * Hears what the splitter says of itself and registers it. The records of earlier sessions are
   * durable, and no more of them are taken, before a newer one counts: its place in the lineage is
   * where they end.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED; when the journal failed meanwhile
   */
  async claim(claim: Claim): Promise<Claimed | Refusal> {
    if (this.#mayNeedMending) this.#site.change((state) => mendHolesOf(state, this.volume));
    this.#mayNeedMending = false;
    const first = this.#hear(claim);
    if (first.kind === 'refuse') return first;
    if (first.kind !== 'sameSession') {
      this.#sessionMin = Math.max(this.#sessionMin, claim.session);
      await this.#settled();
    }
    const heard = this.#hear(claim);
    if (heard.kind === 'refuse') return heard;
    if (heard.kind === 'fork') {
      const reason = await this.#forkFrom(claim, heard.reason);
      return this.#site.change((state, now) => forkLineage(state, this.volume, reason, now));
    }
    const touched = heard.kind === 'newSession' ? await this.#touchedAfter(claim.confirmed) : [];
    // The journal may have failed while it was waited for: then another one takes the records.
    if (this.#failure !== undefined) throw this.#failure;
    const attachment = this.#site.change((state) => attach(state, this.volume, claim));
    return { ...attachment, touched };
  }

  /**
   * Begins a new lineage. Whoever is attached has to attach anew, and hears of it then.
   * @throws MoverError when the journal fails meanwhile
   */
  async startOver(reason: string): Promise<void> {
    this.#refuseAll(reason);
    await this.#settled();
    // One that has begun already, and that nobody has heard of, is as good as another.
    const { isLineageUnused, lineage } = this.#journal;
    if (!isLineageUnused || this.#site.state.volume(this.volume).lineage === lineage.id)
      await this.#journal.fork(reason.slice(0, REASON_LENGTH_MAX));
    // Who attached meanwhile did so to the former lineage.
    this.#refuseAll(reason);
    this.#site.change((state, nowMs) => forkLineage(state, this.volume, reason, nowMs));
  }

  /**
   * Begins a new lineage, unless one has begun that the splitter has not heard of.
   * @returns why the splitter's lineage goes on no more
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

  #hear(claim: Claim): ReturnType<typeof hear> {
    return this.#site.change((state, now) => hear(state, this.volume, claim, now));
  }

  /**
   * What records that the splitter does not know to be durable changed; undefined when that is not
   * known any more.
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
      // A replica that does not keep up, or history that is damaged, must not keep the volume from
      // being attached.
      if (limit.aborted || (error instanceof JournalError && (error.code === 'CORRUPT' || error.code === 'DAMAGED')))
        return undefined;
      throw error;
    }
  }

  /** Whether nothing more has been granted for a while: what was granted before has arrived. */
  get isStalled(): boolean {
    return this.#spentSince !== undefined && performance.now() - this.#spentSince.monotonicMs >= STALL_TOLD_AFTER_MS;
  }

  /** What is wrong, in a sentence; nothing while the volume's records are taken in. */
  get note(): string | undefined {
    if (this.#spentSince === undefined || !this.isStalled) return undefined;
    const { atMs } = this.#spentSince;
    const [waiting, limit] = [this.#unappliedBytes(), this.#unappliedBytesMax].map((bytes) => Math.ceil(bytes / MIB));
    return (
      `Nothing more of volume "${this.volume}" is taken in since ${new Date(atMs).toISOString()}: ${waiting} MiB wait to be ` +
      `applied to its replica, the limit is ${limit} MiB. Its newer writes wait at the splitter, and then only marks are kept; ` +
      'other volumes go on. It goes on by itself when some are applied; if the number does not fall, look at the log of the replica site.'
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

  /** A record of an attached stream; one that is refused ends that attachment. */
  take(from: Attached, frame: RecordFrame): void {
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
    if (admission.kind === 'append') this.#append(from, frame);
    else if (admission.kind === 'duplicate') from.onDurable();
    else this.#refuse(from, admission.code, admission.message);
    this.#grant();
  }

  /** To be called when the journal says so. */
  durable({ position }: Durable): void {
    if (position === this.#appendedPosition) for (const waiting of this.#settling.splice(0)) waiting.resolve();
    for (const attached of this.#credit.attachments) attached.onDurable();
    this.#grant();
  }

  /** To be called when the journal says that records were applied. */
  applied(): void {
    this.#grant();
  }

  /**
   * The journal forgot what was appended and isn't durable: whoever is attached has to attach anew,
   * and sends it again.
   */
  stalled(error: MoverError): void {
    this.#sendAway(error);
    this.#appendedPosition = this.#journal.durable.position;
    this.#mayNeedMending = true;
  }

  /**
   * The journal failed: whoever is attached has to attach anew, and then the journal is opened
   * anew.
   */
  failed(error: MoverError): void {
    this.#failure = error;
    this.#sendAway(error);
  }

  #sendAway(error: MoverError): void {
    for (const waiting of this.#settling.splice(0)) waiting.reject(error);
    for (const attached of this.#credit.attachments) this.#refuse(attached, error.code, error.message);
  }

  #refuse(attached: Attached, code: ErrorCode, message: string): void {
    this.remove(attached);
    attached.onRefused(code, message);
  }

  #append(from: Attached, frame: RecordFrame): void {
    if ((frame.type === 'initBegin' || frame.type === 'initEnd') && !this.#storedHole(from, frame)) return;
    this.#appendedPosition = this.#journal.append([recordOf(frame)]);
    if (frame.type === 'initEnd') this.#onInitialized(this.volume, this.#appendedPosition);
  }

  /**
   * Before the record: a record whose hole can't be stored is not taken, and the splitter sends it
   * again.
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
   * A point must never contain what lies in a hole, even if this process dies between this and the
   * record.
   */
  #storeHole(frame: InitBeginFrame | InitEndFrame): void {
    const position = this.#appendedPosition + 1;
    this.#site.change((state) => {
      if (frame.type === 'initEnd') {
        endHole(state, this.volume, position, frame.timeMs);
        return;
      }
      // Nothing after the last durable record is in any point before the hole.
      const { timeMs } = this.#journal.durable;
      const sinceMs = timeMs > 0 ? Math.min(frame.sinceMs, timeMs) : frame.sinceMs;
      beginHole(state, this.volume, { fromPosition: position, sinceMs, reason: reasonOf(frame) });
    });
  }

  /** Grants what there is room for, or tells that there is none. */
  #grant(): void {
    const unappliedBytes = this.#unappliedBytes();
    const due = this.#credit.next({ unappliedBytes, unwrittenBytes: this.#unwrittenBytes() });
    this.#spentSince = this.#credit.isSpent
      ? (this.#spentSince ?? { atMs: this.#site.now.wallMs, monotonicMs: performance.now() })
      : undefined;
    due?.to.onCredit(due.grantedBytes, unappliedBytes);
  }

  /**
   * What is in memory, by what it cost to send: the bookkeeping of many tiny records counts too.
   */
  #unwrittenBytes(): number {
    const records = this.#appendedPosition - this.#journal.durable.position;
    return this.#journal.unwrittenBytes + records * (RECORD_COST_BYTES - RECORD_HEADER_BYTES);
  }

  #unappliedBytes(): number {
    return this.#journal.undistributedBytes + this.#journal.unwrittenBytes;
  }

  async #settled(): Promise<void> {
    if (this.#journal.durable.position === this.#appendedPosition) return;
    await new Promise<void>((resolve, reject) => {
      this.#settling.push({ resolve, reject });
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

function recordOf(frame: RecordFrame): NewRecord {
  const { session, n, epoch, timeMs } = frame;
  switch (frame.type) {
    case 'write':
      return { kind: 'write', session, n, epoch, timeMs, offset: frame.offset, data: frame.data };
    case 'zeroes':
      return { kind: 'zeroes', session, n, epoch, timeMs, offset: frame.offset, length: frame.length };
    case 'initBegin':
      return { kind: 'initBegin', session, n, epoch, timeMs, sinceMs: frame.sinceMs, reason: reasonOf(frame) };
    case 'initEnd':
      return { kind: 'initEnd', session, n, epoch, timeMs };
  }
}
