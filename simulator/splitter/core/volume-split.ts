// The splitter's state machine for one virtual volume: marks, numbering, the queue, and a move's
// changes of the route. No I/O and no clock: the shell stores rows and marks, writes the source and
// sends the copies.
import {
  type AttemptRef,
  type AttemptVolume,
  type Cut,
  type Endpoint,
  isSameAttempt,
  type TicketedAttempt,
  type Verdict,
  type WriteMark,
} from '../../../contracts/attempt.js';
import type { ClockDoubt } from '../../../contracts/clock.js';
import { MoverError } from '../../../contracts/errors.js';
import type { GroupId, SplitterId, VolumeId } from '../../../contracts/ids.js';
import type { Confirmed, LifeId, LineageId, SourceId } from '../../../contracts/lineage.js';
import type { LeftOut } from '../../../contracts/point.js';
import type { Learned, ReplicationMode, SourceState, SplitterVolume } from '../../../contracts/splitter-api.js';
import type { Moment } from '../../../control/clock/clock.js';
import {
  type GuardedRow,
  isFencedByAnother,
  overUpTo,
  refuseFence,
  refuseNotice,
  refuseOver,
  refuseVerdict,
  renewableFence,
  withForgotten,
  withLapsedFence,
  withVerdict,
} from './attempt-guards.js';
import { CopyQueue, type Copy, type MemoryBudget, type SpillFile } from './copies.js';
import { type FreshMarks, type Marks, REGION_BYTES } from './marks.js';
import { unreadableOf, unreadableSentence } from './unreadable.js';
import type { Fence, Lease, Notice, RefusedSource, VolumeSplitRow } from './volume-split-row.js';

export type { RefusedSource, VolumeSplitRow };

/** Longest reason of a short initialization, in characters: several reasons may be joined. */
const REASON_LENGTH_MAX = 1_000;

/** What the splitter says of a volume when it attaches it. */
export interface AttachClaim {
  readonly session: number;
  readonly epoch: number;
  readonly group: GroupId;
  readonly source: SourceId;
  readonly replaces: boolean;
  readonly confirmed?: Confirmed;
  readonly ticket: number;
  readonly decided?: { readonly attempt: TicketedAttempt; readonly verdict: Verdict };
  readonly over: number;
}

export interface VolumeSplitOptions {
  readonly row: VolumeSplitRow;
  readonly splitter: SplitterId;
  /**
   * This life's session number, greater than every earlier one. NO_SESSION until one is stored:
   * writes then get no numbers.
   */
  readonly session: number;
  readonly life: LifeId;
  readonly marks: Marks;
  readonly budget: MemoryBudget;
  readonly spill: SpillFile;
  readonly queueMaxBytes: number;
  /** Wall time: a label. */
  readonly nowMs: number;
  /** Start of this life, by its monotonic clock. */
  readonly beganAtMs: number;
  /** Reason of the short initialization when regions are marked at the start. */
  readonly startReason: string;
  /** Position up to which the replica was known to be durable, as stored by an earlier life. */
  readonly confirmed?: Confirmed | undefined;
}

/** The volume's mode, whether or not an appliance is connected. */
type InnerMode = Exclude<ReplicationMode, 'UNCONFIRMED'>;

/** A guest's write that the source has. */
type CompletedWrite =
  | { readonly kind: 'write'; readonly offset: number; readonly length: number; readonly data: Buffer }
  | { readonly kind: 'zeroes'; readonly offset: number; readonly length: number };

/** Spelled out, as every write of a guest makes one: a spread takes several times as long. */
function copyOf(write: CompletedWrite, n: number, timeMs: number): Copy {
  const { offset, length } = write;
  return write.kind === 'write'
    ? { kind: 'write', n, timeMs, offset, length, data: write.data }
    : { kind: 'zeroes', n, timeMs, offset, length };
}

/** Outcome of a write: numbered and sent in order, or kept by its mark only. */
export type Completion = { readonly kind: 'numbered'; readonly n: number } | { readonly kind: 'marked' };
const MARKED: Completion = { kind: 'marked' };

function labelOf(atMs: number, doubt: ClockDoubt | undefined): Pick<Fence, 'atMs' | 'doubt'> {
  return doubt === undefined ? { atMs } : { atMs, doubt };
}

/**
 * State of the disk by its row. A confirmed position proves it too: older rows have no `proven`.
 */
function stateOf({ refused, proven }: VolumeSplitRow, confirmed: Confirmed | undefined): SourceState {
  return refused ?? (proven === true || confirmed !== undefined ? 'present' : 'unproven');
}

/** Stands for a volume without a session: real ones start at 1. */
export const NO_SESSION = 0;

export class VolumeSplit {
  readonly marks: Marks;
  #session: number;
  /** Sessions of this life: a lease that names one of them is measured by this life's clock. */
  readonly #sessions = new Set<number>();
  readonly #splitter: SplitterId;
  readonly #beganAtMs: number;
  readonly #queue: CopyQueue;
  /** Called at each change of the row. The row is stored before the answer leaves. */
  onRow: (before: VolumeSplitRow) => void = () => undefined;
  #row: VolumeSplitRow;
  #lastN = 0;
  /**
   * The replica's lineage, and its position before this session's first record; known once
   * attached.
   */
  #lineage: { readonly id: LineageId; readonly base: number } | undefined;
  readonly #life: LifeId;
  #confirmed: Confirmed | undefined;
  #confirmedN = 0;
  #mode: InnerMode;
  /** Number of the newest initBegin record. */
  #initN = 0;
  /** Number of this session's newest initEnd record; 0 without one. */
  #endN = 0;
  /** Whether guests may use the disk. Only a `present` one may be in recovery points. */
  sourceState: SourceState;
  /** Progress of recovering the disk from the replica. */
  recovery: SplitterVolume['source']['recovery'];
  #marksOnlySince: { readonly sinceMs: number; readonly reason: string };
  #connected = false;
  #paused = false;
  #resentBytes = 0;
  #stalled: SplitterVolume['stalled'];
  /**
   * The splitter restarted behind the fence with unconfirmed writes: the cut may never be drained.
   */
  #fenceVoid: boolean;
  /** The system's message at the last failed read of the source. */
  #whyUnreadable = '';
  /** Sentences for an administrator, by topic: a newer one replaces the older. */
  readonly #notes = new Map<string, string>();

  constructor(options: VolumeSplitOptions) {
    this.#session = options.session;
    this.#life = options.life;
    this.#sessions.add(options.session);
    this.#confirmed = options.confirmed;
    this.marks = options.marks;
    this.#splitter = options.splitter;
    this.#beganAtMs = options.beganAtMs;
    this.#row = options.row;
    this.sourceState = stateOf(options.row, options.confirmed);
    this.#queue = new CopyQueue(options.budget, options.spill, options.queueMaxBytes);
    const isSynced = options.marks.dirty + options.marks.doubted === 0 && options.session !== NO_SESSION;
    this.#mode = isSynced ? 'SYNCED' : 'MARKS_ONLY';
    this.#marksOnlySince = { sinceMs: options.nowMs, reason: options.startReason };
    this.#fenceVoid = options.row.fence !== undefined && this.#mode !== 'SYNCED';
  }

  /**
   * Begins numbering in a new session. The caller has stored its number. Earlier writes are kept by
   * marks.
   */
  startSession(session: number): void {
    this.#beginSession(session);
    if (this.marks.dirty + this.marks.doubted === 0) this.#mode = 'SYNCED';
  }

  /**
   * Gives up the queued copies, which can't be sent: marks stand for them. Numbers have no gaps, so
   * the volume needs a new session before it numbers again. Call it detached.
   */
  loseQueue(reason: string, nowMs: number): void {
    this.#session = NO_SESSION;
    this.#fallBack(reason, nowMs);
    this.#dropQueue();
    if (this.#row.fence !== undefined) this.#fenceVoid = true;
  }

  /** Gives back all memory: the volume is retired, and takes no more writes. Call it detached. */
  end(nowMs: number): void {
    this.loseQueue('retired', nowMs);
    this.#queue.leave();
  }

  #dropQueue(): void {
    this.#queue.drop((copy) => {
      if (copy.kind === 'write' || copy.kind === 'zeroes') this.marks.abandon(copy.offset, copy.length);
    });
  }

  get row(): VolumeSplitRow {
    return this.#row;
  }

  get volume(): VolumeId {
    return this.#row.volume;
  }

  /** The current session: this life's first, or a later one that replaced it; or NO_SESSION. */
  get session(): number {
    return this.#session;
  }

  get isSynced(): boolean {
    return this.#mode === 'SYNCED';
  }

  /** The mode as others see it: numbered writes without a stream are UNCONFIRMED. */
  get mode(): ReplicationMode {
    if (this.sourceState !== 'present') return 'MARKS_ONLY';
    return this.#mode === 'SYNCED' && !this.#connected ? 'UNCONFIRMED' : this.#mode;
  }

  /**
   * Position up to which the replica is known to be durable. Store it before marks that rest on it
   * are cleared.
   */
  get confirmed(): Confirmed | undefined {
    return this.#confirmed;
  }

  get notes(): string[] {
    const unreadable = unreadableSentence(this.volume, this.#row.sizeBytes, this.marks.unreadable, this.#whyUnreadable);
    return [...this.#notes.values(), ...(unreadable === undefined ? [] : [unreadable])];
  }

  /** Sets the sentence of a topic; undefined removes it. */
  note(topic: string, sentence: string | undefined): void {
    if (sentence === undefined) this.#notes.delete(topic);
    else this.#notes.set(topic, sentence);
  }

  /** Number of the newest record. */
  get lastN(): number {
    return this.#lastN;
  }

  /** Whether every numbered record is known to be durable at the replica site. */
  get allConfirmed(): boolean {
    return this.#queue.isEmpty;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Data that is numbered and not yet known to be durable at the replica site, in bytes. */
  get unconfirmedBytes(): number {
    return this.#queue.dataBytes;
  }

  /** The part of the unconfirmed data that a fence holds back, in bytes. */
  get backlogBytes(): number {
    const { fence } = this.#row;
    return fence === undefined ? 0 : this.#queue.dataBytesBeyond(fence.cut.session === this.#session ? fence.cut.n : 0);
  }

  /** Bytes sent by short initialization since the process started. */
  get resentBytes(): number {
    return this.#resentBytes;
  }

  /** Whether the replica site accepts nothing more of the volume now. */
  get isStalled(): boolean {
    return this.#stalled !== undefined;
  }

  /** Wall time since which a write waits for the replica site; undefined while none does. */
  get waitingSinceMs(): number | undefined {
    const { oldestMs } = this.#queue;
    if (this.#mode === 'SYNCED') return oldestMs;
    return Math.min(this.#marksOnlySince.sinceMs, oldestMs ?? this.#marksOnlySince.sinceMs);
  }

  #put(row: VolumeSplitRow): void {
    const before = this.#row;
    this.#row = row;
    this.onRow(before);
  }

  /** Notes a larger size; the files and the marks follow once it is stored. */
  grow(sizeBytes: number): void {
    this.#put({ ...this.#row, sizeBytes, formerBytes: this.#row.sizeBytes });
  }

  /** Undoes a change of the row that could not be stored. */
  restore(row: VolumeSplitRow): void {
    this.#put(row);
  }

  /** Applies a stored change of the row to the queue and the stream. */
  settled(before: VolumeSplitRow): void {
    const { fence, route } = this.#row;
    if (before.fence !== undefined && !isSameAttempt(before.fence.attempt, fence?.attempt)) this.#fenceVoid = false;
    if (before.route.epoch === route.epoch) return;
    const cut = before.fence?.cut;
    if (cut?.session === this.#session) this.receipt(cut.n);
    this.detached();
  }

  // ---- the guest's writes ----

  /**
   * Begins a write.
   * @returns the regions whose marks must be stored before the source is written.
   */
  begin(offset: number, length: number): number[] {
    return this.marks.begin(offset, length);
  }

  /**
   * Numbers a write that the source has, and queues its copy. Call it under the same range lock as
   * `begin`: overlapping writes are then numbered in the order in which they reached the source.
   */
  complete(write: CompletedWrite, nowMs: number): Completion {
    const admits = this.#mode !== 'MARKS_ONLY' && !this.#paused;
    const n = this.#lastN + 1;
    if (admits && this.#queue.push(copyOf(write, n, nowMs), this.#row.fence !== undefined)) {
      this.#lastN = n;
      this.marks.cleanCovered(write.offset, write.length);
      return { kind: 'numbered', n };
    }
    this.marks.retryCovered(write.offset, write.length);
    this.#fallBack(this.#paused ? 'group paused' : 'backlog full', nowMs);
    this.marks.abandon(write.offset, write.length);
    return MARKED;
  }

  /** Marks the regions of a failed write to be sent again: the source may hold any part of it. */
  fail(offset: number, length: number, nowMs: number): void {
    this.#fallBack('source write failed', nowMs);
    this.marks.abandon(offset, length);
  }

  /** Takes back a write that was refused before any of it reached the source. */
  withdraw(offset: number, length: number): void {
    this.marks.confirm(offset, length);
  }

  /**
   * Keeps only marks from now on. Does nothing while that is so already, or during a short
   * initialization.
   */
  #fallBack(reason: string, nowMs: number): void {
    if (this.#mode !== 'SYNCED') return;
    this.#mode = 'MARKS_ONLY';
    this.#marksOnlySince = { sinceMs: nowMs, reason };
  }

  // ---- sending ----

  /** What the splitter says of the volume when it attaches it. */
  claim(): AttachClaim {
    const { route, source, replaces, notice, fence, decided, forgotten = 0 } = this.#row;
    const tickets = [notice, fence, decided].map((known) => known?.attempt.ticket ?? 0);
    return {
      session: this.#session,
      epoch: route.epoch,
      group: route.group,
      source,
      replaces: replaces === true,
      ticket: Math.max(...tickets, forgotten),
      ...(this.#confirmed === undefined ? {} : { confirmed: this.#confirmed }),
      ...(decided === undefined ? {} : { decided: { attempt: decided.attempt, verdict: decided.verdict } }),
      over: overUpTo(this.#row),
    };
  }

  /**
   * The stream carries the volume now. Records up to `n` of this session are durable, and the
   * session began after position `base` of the lineage.
   */
  attached({ n, lineage, base }: { readonly n: number; readonly lineage: LineageId; readonly base: number }): void {
    this.#connected = true;
    if (this.#lineage?.base !== base) this.#confirmedN = 0;
    this.#lineage = { id: lineage, base };
    this.receipt(n);
    this.#queue.rewind();
  }

  /**
   * Begins a new session against a replica whose history is not the one confirmed here. The queued
   * records have no place in it and are dropped; the whole volume is compared.
   * @returns the marks to be stored.
   */
  startOver(session: number, lineage: Confirmed, reason: string, nowMs: number): FreshMarks {
    this.detached();
    this.#dropQueue();
    this.#beginSession(session);
    this.#confirmed = lineage;
    if (this.#mode === 'INITIALIZING') this.#mode = 'MARKS_ONLY';
    return this.doubt(reason, nowMs);
  }

  /** Whether the current session was never attached. */
  get isNewSession(): boolean {
    return this.#lineage === undefined;
  }

  /** The lineage that the session was attached to, and the position before its first record. */
  get joinedAt(): { readonly id: LineageId; readonly base: number } | undefined {
    return this.#lineage;
  }

  /**
   * Gives the session a new number, since another life used this one or a later one. Only before
   * the session was attached: its queue still begins at 1.
   */
  renumber(session: number): void {
    this.detached();
    this.#beginSession(session, this.#lastN);
  }

  #beginSession(session: number, lastN = 0): void {
    this.#session = session;
    this.#sessions.add(session);
    this.#lastN = lastN;
    this.#endN = 0;
    this.#confirmedN = 0;
    this.#lineage = undefined;
    this.#fenceVoid = this.#row.fence !== undefined;
  }

  /**
   * Has the whole volume compared with its replica.
   * @returns the marks to be stored.
   */
  doubt(reason: string, nowMs: number): FreshMarks {
    this.#fallBack(reason, nowMs);
    this.#marksOnlySince = { ...this.#marksOnlySince, reason: this.#reasonWith(reason) };
    return this.marks.doubtAll();
  }

  /** The reason of a doubt. Reasons of a doubt that lasts stay beside the new one. */
  #reasonWith(reason: string): string {
    if (this.marks.doubted === 0) return reason;
    const { reason: before } = this.#marksOnlySince;
    return before.includes(reason) ? before : `${before}; ${reason}`.slice(0, REASON_LENGTH_MAX);
  }

  /** Whether the stored `comparing` is out of date. A restart resumes a comparison by it. */
  get isComparisonUnstored(): boolean {
    return this.marks.doubted > 0 !== (this.#row.comparing !== undefined);
  }

  /** Makes the row say whether a comparison is under way, and why. */
  keepComparison(): void {
    const { comparing: _before, ...row } = this.#row;
    if (!this.isComparisonUnstored) return;
    this.#put(this.marks.doubted > 0 ? { ...row, comparing: this.#marksOnlySince.reason } : row);
  }

  /**
   * Marks regions to be sent again, whatever the replica has.
   * @returns regions to be marked in store.
   */
  sendAgain(regions: Iterable<number>, reason: string, nowMs: number): number[] {
    this.#fallBack(reason, nowMs);
    return this.marks.markDirty(regions);
  }

  detached(): void {
    this.#connected = false;
    this.#queue.rewind();
  }

  /** The next copy to send. Behind a fence nothing beyond the cut is sent. */
  peek(): Copy | undefined {
    if (!this.#connected || this.#paused || this.sourceState !== 'present') return undefined;
    return this.#queue.peek(this.#sendableUpTo());
  }

  #sendableUpTo(): number {
    const { fence } = this.#row;
    if (fence === undefined) return Number.MAX_SAFE_INTEGER;
    return fence.cut.session === this.#session ? fence.cut.n : 0;
  }

  advance(): void {
    this.#queue.advance();
  }

  dataOf(copy: Copy & { readonly kind: 'write' }): Buffer {
    return this.#queue.dataOf(copy);
  }

  /** Records up to `n` of this session are durable at the replica site. */
  receipt(n: number): void {
    this.#queue.confirm(n, (copy) => {
      if (copy.kind === 'write' || copy.kind === 'zeroes') this.marks.confirm(copy.offset, copy.length);
    });
    if (this.#lineage === undefined) return;
    this.#confirmedN = Math.max(this.#confirmedN, Math.min(n, this.#lastN));
    const { id: lineage, base } = this.#lineage;
    const position = base + this.#confirmedN;
    if (this.#confirmedN > 0) this.#confirmed = { lineage, position, life: this.#life };
    else if (this.#confirmed?.lineage !== lineage || this.#confirmed.position !== position)
      this.#confirmed = { lineage, position };
  }

  /**
   * Notes since when the replica site takes nothing more of the volume; undefined when it does
   * again.
   */
  stalled(stalled: SplitterVolume['stalled']): void {
    this.#stalled = stalled;
  }

  /** Keeps only marks from now on: the group was paused at its appliance. */
  pause(nowMs: number): void {
    this.#paused = true;
    this.#fallBack('group paused', nowMs);
  }

  resume(): void {
    this.#paused = false;
  }

  // ---- short initialization ----

  /**
   * Starts a short initialization if it is due and possible: connected, not fenced, all numbered
   * records confirmed.
   * @returns whether one is under way.
   */
  initialize(nowMs: number): boolean {
    if (this.sourceState !== 'present') return false;
    if (this.#mode === 'SYNCED' || !this.#connected || this.#paused || this.#row.fence !== undefined) return false;
    if (this.#mode === 'MARKS_ONLY') {
      if (!this.#queue.isEmpty) return false;
      this.#lastN += 1;
      this.#initN = this.#lastN;
      this.#queue.pushMarker({ kind: 'initBegin', n: this.#lastN, timeMs: nowMs, ...this.#marksOnlySince });
      this.#mode = 'INITIALIZING';
    }
    return true;
  }

  /**
   * The next range to read from the source, under the range lock, for `resent`. Undefined when
   * there is no room, or nothing left.
   */
  nextResend(): { readonly region: number; readonly offset: number; readonly length: number } | undefined {
    if (this.#mode !== 'INITIALIZING' || this.#row.fence !== undefined || this.#paused || !this.#queue.hasRoomForResend)
      return undefined;
    const region = this.marks.nextDirty();
    if (region === undefined) return undefined;
    const offset = region * REGION_BYTES;
    return { region, offset, length: Math.min(REGION_BYTES, this.#row.sizeBytes - offset) };
  }

  /** Whether the queue has room for a region now. */
  get hasRoomForResend(): boolean {
    return this.#queue.hasRoomForResend;
  }

  /**
   * Queues a region as it is at the source now.
   * @returns false if there is no room after all: the region stays dirty.
   */
  resent(
    region: number,
    copy: { readonly kind: 'write'; readonly data: Buffer } | { readonly kind: 'zeroes' },
    nowMs: number,
  ): boolean {
    const offset = region * REGION_BYTES;
    const length = Math.min(REGION_BYTES, this.#row.sizeBytes - offset);
    const n = this.#lastN + 1;
    if (!this.#queue.push({ ...copy, n, timeMs: nowMs, offset, length }, false)) return false;
    this.#lastN = n;
    this.marks.resend(region);
    this.#resentBytes += length;
    return true;
  }

  /**
   * Passes over a region that the source can't read. It stays marked and is named in the notes
   * until `retryUnreadable`.
   */
  passOver(region: number, why: string): void {
    this.#whyUnreadable = why;
    this.marks.passOver(region);
  }

  /**
   * Ends the short initialization once nothing is dirty or doubted.
   * @returns whether it ended now.
   */
  finishInitialization(nowMs: number): boolean {
    if (this.#mode !== 'INITIALIZING' || this.marks.dirty + this.marks.doubted > 0) return false;
    this.#lastN += 1;
    this.#endN = this.#lastN;
    this.#queue.pushMarker({ kind: 'initEnd', n: this.#lastN, timeMs: nowMs });
    this.#mode = 'SYNCED';
    return true;
  }

  /**
   * Makes up for an initEnd record that an earlier life of this splitter did not deliver: its marks
   * were gone, and the replica site would wait for the end for ever. Call it when the replica site
   * says at an attachment that it waits.
   */
  initializeAgain(nowMs: number): void {
    if (this.#endN <= this.#confirmedN) this.#fallBack('the end of a short initialization was lost', nowMs);
  }

  /** Mark of the initBegin record; undefined without a short initialization. */
  get initializationMark(): WriteMark | undefined {
    return this.#mode === 'INITIALIZING' ? { session: this.#session, n: this.#initN } : undefined;
  }

  // ---- cuts ----

  /** The volume's cut now, for a point of its group, or why no point may contain it. */
  standing(): (Cut & { readonly fencedBy?: AttemptRef; readonly over?: number }) | LeftOut {
    if (this.sourceState !== 'present') return { volume: this.volume, reason: 'inconsistent' };
    if (this.#mode === 'MARKS_ONLY') return { volume: this.volume, reason: 'marks-only' };
    if (this.#mode === 'INITIALIZING') return { volume: this.volume, reason: 'initializing' };
    const { fence } = this.#row;
    const over = overUpTo(this.#row);
    const at: Cut = { volume: this.volume, session: this.#session, n: this.#lastN };
    const cut = over > 0 ? { ...at, over } : at;
    return fence === undefined ? cut : { ...cut, fencedBy: { move: fence.attempt.move, n: fence.attempt.n } };
  }

  // ---- the control calls of a move: each may be repeated, delayed or reordered ----

  /** What the guards of a move's calls judge by. */
  get #guarded(): GuardedRow {
    return { row: this.#row, splitter: this.#splitter, isFenceVoid: this.#fenceVoid };
  }

  /**
   * @throws MoverError ATTEMPT_ABORTED, ATTEMPT_COMMITTED, STALE_ATTEMPT, PENDING_VERDICT,
   * EPOCH_MISMATCH
   */
  checkNotify(attempt: TicketedAttempt, bound: AttemptVolume, from: Endpoint): void {
    refuseOver(this.#guarded, attempt);
    // A newer attempt waits: the verdict on the fenced one is asked for now.
    if (isFencedByAnother(this.#row, attempt)) this.#put(withLapsedFence(this.#row));
    refuseNotice(this.#guarded, attempt, bound, from);
  }

  /**
   * Follows the replica site's word about the owner, if its epoch is later and no fence awaits a
   * verdict.
   */
  reroute(route: Endpoint & { readonly epoch: number }): void {
    const { notice: _over, ...row } = this.#row;
    if (row.fence === undefined && route.epoch > row.route.epoch) this.#put({ ...row, route });
  }

  /** Stores a new identity of the disk: a person decided about it. */
  replaceSource(source: SourceId): void {
    const { refused: _over, ...row } = this.#row;
    this.#put({ ...row, source, replaces: true, proven: true });
  }

  /** Whether the row lacks what the replica site said of the disk. */
  get isProofUnstored(): boolean {
    return this.#row.proven !== true || this.#row.replaces === true;
  }

  /** Stores the replica site's word: it knows the disk. */
  sourceKnown(): void {
    const { replaces: _known, ...row } = this.#row;
    if (this.isProofUnstored) this.#put({ ...row, proven: true });
  }

  /**
   * Stores that a person vouches for the disk. The replica site may still refuse it as another one.
   */
  vouchForSource(): void {
    this.#put({ ...this.#row, proven: true });
  }

  /** Refuses the disk until a person decides. */
  refuseSource(refused: RefusedSource): void {
    if (this.#row.refused !== refused) this.#put({ ...this.#row, refused });
  }

  /** Lifts a `missing`: the very file is back. */
  sourceBack(): void {
    const { refused, ...row } = this.#row;
    if (refused === 'missing') this.#put(row);
  }

  notify(notice: Notice): void {
    if (!isSameAttempt(this.#row.notice?.attempt, notice.attempt)) this.#put({ ...this.#row, notice });
  }

  /**
   * @throws MoverError ATTEMPT_ABORTED, ATTEMPT_COMMITTED, STALE_ATTEMPT, PENDING_VERDICT,
   * FENCE_LAPSED, CUT_VOID, NOT_NOTIFIED, SOURCE_UNREADABLE, NOT_SYNCED
   */
  checkFence(attempt: TicketedAttempt): void {
    refuseOver(this.#guarded, attempt);
    if (refuseFence(this.#guarded, attempt) === 'up already') return;
    this.refuseUnreadable();
    if (this.#mode !== 'SYNCED' || this.#paused || this.sourceState !== 'present')
      throw new MoverError(
        'NOT_SYNCED',
        `Volume "${this.volume}" has writes that are known by marks only (${this.mode}).`,
      );
  }

  /** @throws MoverError SOURCE_UNREADABLE while a dirty region can't be read from the source */
  refuseUnreadable(): void {
    const sentence = unreadableSentence(this.volume, this.#row.sizeBytes, this.marks.unreadable, this.#whyUnreadable);
    if (sentence !== undefined) throw new MoverError('SOURCE_UNREADABLE', sentence);
  }

  /**
   * Raises the fence. A repeated call gets the same cut. Call `checkFence` for every volume of the
   * call first.
   */
  fence(
    attempt: TicketedAttempt,
    leaseMs: number,
    { monotonicMs, wallMs, doubt }: Moment,
  ): Pick<Fence, 'atMs' | 'doubt'> & Cut & { readonly repeated: boolean } {
    const { fence } = this.#row;
    const label = fence === undefined ? labelOf(wallMs, doubt) : labelOf(fence.atMs, fence.doubt);
    const cut = fence?.cut ?? { session: this.#session, n: this.#lastN };
    this.#put({
      ...this.#row,
      fence: {
        attempt,
        cut,
        ...label,
        lease: this.#leaseUntil(monotonicMs + leaseMs, monotonicMs),
        lapsed: false,
      },
    });
    return { volume: this.volume, ...cut, ...label, repeated: fence !== undefined };
  }

  /** End of the fence's lease, by this life's monotonic clock; undefined without a fence. */
  get leaseEndsAtMs(): number | undefined {
    const lease = this.#row.fence?.lease;
    if (lease === undefined) return undefined;
    return this.#sessions.has(lease.session) ? lease.untilMs : this.#beganAtMs + lease.ms;
  }

  /** The lease with at least the asked end: a renewal never shortens it. */
  #leaseUntil(askedMs: number, monotonicMs: number): Lease {
    const untilMs = Math.max(askedMs, this.leaseEndsAtMs ?? 0);
    return { session: this.#session, untilMs, ms: Math.max(0, untilMs - monotonicMs) };
  }

  /**
   * Renews the fence's lease.
   * @returns how long it lasts now, in milliseconds.
   * @throws MoverError ATTEMPT_ABORTED, ATTEMPT_COMMITTED, STALE_ATTEMPT, NOT_FENCED, FENCE_LAPSED,
   * CUT_VOID
   */
  renew(attempt: TicketedAttempt, leaseMs: number, monotonicMs: number): number {
    refuseOver(this.#guarded, attempt);
    const fence = renewableFence(this.#guarded, attempt);
    const lease = this.#leaseUntil(monotonicMs + leaseMs, monotonicMs);
    this.#put({ ...this.#row, fence: { ...fence, lease } });
    return lease.ms;
  }

  /**
   * Lets the lease run out if its time is over.
   * @returns whether it has run out, now or before: the verdict must be asked for.
   */
  lapse(monotonicMs: number): boolean {
    const { fence } = this.#row;
    if (fence === undefined) return false;
    if (!fence.lapsed && (this.leaseEndsAtMs ?? 0) <= monotonicMs) this.#put(withLapsedFence(this.#row));
    return this.#row.fence?.lapsed === true;
  }

  /** @throws MoverError STALE_ATTEMPT, NOT_FENCED, ATTEMPT_MISMATCH */
  checkLearn(attempt: TicketedAttempt, verdict: Verdict, bound: AttemptVolume): void {
    refuseVerdict(this.#guarded, attempt, verdict, bound);
  }

  /** Learns a verdict, once. An attempt never seen before is remembered as over. */
  learn(attempt: TicketedAttempt, verdict: Verdict, bound: AttemptVolume, to: Endpoint, nowMs: number): void {
    const { backlogBytes } = this;
    const row = withVerdict(this.#row, { attempt, verdict, bound, to, atMs: nowMs, backlogBytes });
    if (row !== undefined) this.#put(row);
  }

  /** Lifts the attempt's fence and notice without a verdict: the replica site has forgotten it. */
  letGo(attempt: TicketedAttempt): void {
    const row = withForgotten(this.#row, attempt);
    if (row !== undefined) this.#put(row);
  }

  // ---- what others see ----

  get fenceVoid(): boolean {
    return this.#fenceVoid;
  }

  /** The verdict, if this is the newest decided attempt. */
  learned(attempt: TicketedAttempt): Learned | undefined {
    const { decided } = this.#row;
    if (decided === undefined || !isSameAttempt(decided.attempt, attempt)) return undefined;
    return { volume: this.volume, verdict: decided.verdict, atMs: decided.atMs, backlogBytes: decided.backlogBytes };
  }

  describe(): SplitterVolume {
    const { row } = this;
    const { fence, notice } = row;
    const unreadable = unreadableOf(row.sizeBytes, this.marks.unreadable);
    return {
      volume: row.volume,
      splitter: this.#splitter,
      sizeBytes: row.sizeBytes,
      route: row.route,
      mode: this.mode,
      connected: this.#connected,
      last: { session: this.#session, n: this.#lastN },
      unconfirmedBytes: this.unconfirmedBytes,
      backlogBytes: this.backlogBytes,
      markedRegions: this.marks.marked,
      resentBytes: this.#resentBytes,
      source: {
        id: row.source,
        state: this.sourceState,
        ...(this.recovery === undefined ? {} : { recovery: this.recovery }),
      },
      ...(this.#confirmed === undefined ? {} : { confirmed: this.#confirmed }),
      ...(this.#mode === 'SYNCED'
        ? {}
        : { initialization: { ...this.#marksOnlySince, doubtedRegions: this.marks.doubted } }),
      ...(this.#stalled === undefined ? {} : { stalled: this.#stalled }),
      ...(notice === undefined ? {} : { notice: { attempt: notice.attempt, to: notice.to } }),
      ...(fence === undefined
        ? {}
        : {
            fence: {
              attempt: fence.attempt,
              cut: fence.cut,
              leaseMs: fence.lease.ms,
              lapsed: fence.lapsed,
            },
          }),
      ...(unreadable === undefined ? {} : { unreadable }),
      notes: this.notes,
    };
  }
}
