// Takes in one volume's records, whichever stream brings them: decides on each, appends it, and tells what became durable.
import type { ErrorCode, MoverError } from '../../../contracts/errors.js';
import type { VolumeId } from '../../../contracts/ids.js';
import type { InitBeginFrame, InitEndFrame, WriteFrame, ZeroesFrame } from '../../stream/frame.js';
import {
  admit,
  attach,
  beginHole,
  beginsSession,
  endHole,
  type Attachment,
  type SessionClaim,
} from '../core/records.js';
import { REASON_LENGTH_MAX, type Durable, type NewRecord, type VolumeJournal } from '../journal/types.js';
import type { Site } from '../site.js';
import { UNAPPLIED_RESUME_PART } from './limits.js';

export type RecordFrame = WriteFrame | ZeroesFrame | InitBeginFrame | InitEndFrame;

/** A stream's attachment of the volume. */
export interface Attached {
  readonly session: number;
  readonly epoch: number;
  /** Something of the session became durable, or was sent again though it is. */
  readonly onDurable: () => void;
  /** Nothing more is taken from it. */
  readonly onRefused: (code: ErrorCode, message: string) => void;
  /** The volume has too much that is not applied: to be read no further until `onRoom`. */
  readonly onFull: () => void;
  readonly onRoom: () => void;
}

export interface VolumeIntakeOptions {
  readonly volume: VolumeId;
  readonly site: Site;
  readonly journal: VolumeJournal;
  readonly unappliedBytesMax: number;
}

export class VolumeIntake {
  readonly volume: VolumeId;
  readonly #site: Site;
  readonly #journal: VolumeJournal;
  readonly #unappliedBytesMax: number;
  readonly #attached = new Set<Attached>();
  #appendedPosition: number;
  /** Bytes appended since everything appended was durable: at least what is on its way into DO now. */
  #unwrittenBytes = 0;
  #full = false;
  /** Sessions below are refused: a newer one waits until what they sent is durable. */
  #sessionMin = 0;
  /** Those who wait until everything appended is durable. */
  #settling: { readonly resolve: () => void; readonly reject: (error: MoverError) => void }[] = [];

  constructor({ volume, site, journal, unappliedBytesMax }: VolumeIntakeOptions) {
    this.volume = volume;
    this.#site = site;
    this.#journal = journal;
    this.#unappliedBytesMax = unappliedBytesMax;
    this.#appendedPosition = journal.durable.position;
  }

  /** What is durable of a session. */
  durableOf(session: number): number {
    const { durable } = this.#journal;
    return durable.session === session ? durable.n : 0;
  }

  /**
   * Registers what the splitter says of itself. The records of earlier sessions are durable, and no more of them are taken, before a
   * newer one counts: its place in the lineage is where they end.
   * @throws MoverError when the journal failed meanwhile
   */
  async claim(claim: SessionClaim): Promise<Attachment> {
    if (beginsSession(this.#site.state, this.volume, claim)) {
      this.#sessionMin = Math.max(this.#sessionMin, claim.session);
      await this.#settled();
    }
    const lost = this.#lost(claim);
    return lost ?? this.#site.change((state) => attach(state, this.volume, claim));
  }

  /** Writes of the session were durable and are lost: what follows them would leave a gap that nobody sees. */
  #lost({ session }: SessionClaim): Attachment | undefined {
    const { durable } = this.#journal;
    if (durable.position === 0 || durable.session > 0 || this.#journal.sessionBase(session) === undefined)
      return undefined;
    const message = `Writes of session ${session} of volume "${this.volume}" are lost at the replica site: a new session has to send all of it again. By hand: volume-mover resync ${this.volume}`;
    return { kind: 'refuse', code: 'STALE_SESSION', message };
  }

  add(attached: Attached): void {
    this.#attached.add(attached);
    if (this.#full) attached.onFull();
  }

  remove(attached: Attached): void {
    if (this.#attached.delete(attached) && this.#full) attached.onRoom();
  }

  /** A record of an attached stream; one that is refused ends that attachment. */
  take(from: Attached, frame: RecordFrame): void {
    if (frame.session < this.#sessionMin) {
      this.#refuse(from, 'STALE_SESSION', `A newer session of volume "${this.volume}" is attaching.`);
      return;
    }
    const misplaced = this.#outside(frame);
    if (misplaced !== undefined) {
      this.#refuse(from, 'INVALID_REQUEST', misplaced);
      return;
    }
    const admission = admit(this.#site.state, this.volume, frame);
    if (admission.kind === 'append') this.#append(frame);
    else if (admission.kind === 'duplicate') from.onDurable();
    else this.#refuse(from, admission.code, admission.message);
  }

  /** To be called when the journal says so. */
  durable({ position }: Durable): void {
    if (position === this.#appendedPosition) {
      this.#unwrittenBytes = 0;
      for (const waiting of this.#settling.splice(0)) waiting.resolve();
    }
    for (const attached of this.#attached) attached.onDurable();
  }

  /** To be called when the journal says that records were applied. */
  applied(): void {
    if (!this.#full || this.#unappliedBytes() > this.#unappliedBytesMax * UNAPPLIED_RESUME_PART) return;
    this.#full = false;
    for (const attached of this.#attached) attached.onRoom();
  }

  /** The journal failed: whoever is attached has to attach anew, and then the journal is opened anew. */
  failed(error: MoverError): void {
    for (const waiting of this.#settling.splice(0)) waiting.reject(error);
    for (const attached of this.#attached) this.#refuse(attached, error.code, error.message);
  }

  #refuse(attached: Attached, code: ErrorCode, message: string): void {
    this.remove(attached);
    attached.onRefused(code, message);
  }

  #append(frame: RecordFrame): void {
    if (frame.type === 'initBegin' || frame.type === 'initEnd') this.#storeHole(frame);
    this.#appendedPosition = this.#journal.append([recordOf(frame)]);
    this.#unwrittenBytes += frame.type === 'write' ? frame.data.length : 0;
    if (this.#full || this.#unappliedBytes() <= this.#unappliedBytesMax) return;
    this.#full = true;
    for (const attached of this.#attached) attached.onFull();
  }

  /** Before the record: a point must never contain what lies in a hole, even if this process dies between the two. */
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

  #unappliedBytes(): number {
    return this.#journal.undistributedBytes + this.#unwrittenBytes;
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
