// The splitter's state machine for one virtual volume: marks, numbering, the queue, and what a move
// may do to the route. No I/O and no clock: the shell stores rows and marks, writes the source, and
// sends the copies.
import type {
  AttemptRef,
  AttemptVolume,
  Cut,
  Endpoint,
  TicketedAttempt,
  Verdict,
  WriteMark,
} from '../../../contracts/attempt.js';
import { attemptName } from '../../../contracts/attempt.js';
import type { ClockDoubt } from '../../../contracts/clock.js';
import { MoverError } from '../../../contracts/errors.js';
import type { GroupId, SplitterId, VolumeId } from '../../../contracts/ids.js';
import type { Confirmed, LineageId, SourceId } from '../../../contracts/lineage.js';
import type { LeftOut } from '../../../contracts/point.js';
import type { Learned, ReplicationMode, SourceState, SplitterVolume } from '../../../contracts/splitter-api.js';
import type { Moment } from '../../../control/clock/clock.js';
import { CopyQueue, type Copy, type MemoryBudget, type SpillFile } from './copies.js';
import { type Marks, REGION_BYTES } from './marks.js';
import { unreadableOf, unreadableSentence } from './unreadable.js';

/** Longest reason of a short initialization, in characters: several may come together. */
const REASON_LENGTH_MAX = 1_000;

/**
 * A lease in stored form: no monotonic instant means anything in another life of the process, so it
 * names the life it was granted in. In a later one it runs anew, in full, from the start: a lease
 * never decides, so a longer one is safe.
 */
interface Lease {
  readonly session: number;
  /** Its end by that life's monotonic clock. */
  readonly untilMs: number;
  /** As last granted. */
  readonly ms: number;
}

interface Fence {
  readonly attempt: TicketedAttempt;
  readonly cut: WriteMark;
  /** Wall time of the cut, a label: a repeated call gets the same. */
  readonly atMs: number;
  /** Why that label may be wrong. */
  readonly doubt?: ClockDoubt | undefined;
  readonly lease: Lease;
  /**
   * The lease ran out, or a newer attempt came by: the verdict is being asked for, and no renewal
   * is taken.
   */
  readonly lapsed: boolean;
}

interface Notice {
  readonly attempt: TicketedAttempt;
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly resolvers: readonly string[];
}

/** What a splitter must remember of a volume for ever. Stored before a control call is answered. */
export interface VolumeSplitRow {
  readonly volume: VolumeId;
  readonly sizeBytes: number;
  readonly route: Endpoint & { readonly epoch: number };
  readonly notice?: Notice;
  readonly fence?: Fence;
  /** The newest attempt whose verdict was learned: it and everything older is over. */
  readonly decided?: {
    readonly attempt: TicketedAttempt;
    readonly verdict: Verdict;
    readonly atMs: number;
    readonly backlogBytes: number;
  };
  /** The disk that guests write. */
  readonly source: SourceId;
  /** A person said that it takes the place of the one before; until the replica site knows. */
  readonly replaces?: true;
  /**
   * The replica site took the disk once, or a person vouched for it: guests may use it, whoever is
   * away.
   */
  readonly proven?: true;
  /** What was found wrong with the disk; until a person decides. */
  readonly refused?: RefusedSource;
  /** Why what is marked is compared before it is sent; until nothing is left to compare. */
  readonly comparing?: string;
}

/** What only a person can decide. */
export type RefusedSource = Extract<SourceState, 'missing' | 'foreign'>;

/** What the splitter says of a volume when it attaches it, besides its session. */
export interface AttachClaim {
  readonly session: number;
  readonly epoch: number;
  readonly group: GroupId;
  readonly source: SourceId;
  readonly replaces: boolean;
  readonly confirmed?: Confirmed;
  readonly ticket: number;
  readonly decided?: { readonly attempt: TicketedAttempt; readonly verdict: Verdict };
}

export interface VolumeSplitOptions {
  readonly row: VolumeSplitRow;
  readonly splitter: SplitterId;
  /**
   * This life's number: greater than that of every earlier one. 0 while none is stored: then
   * nothing is numbered.
   */
  readonly session: number;
  readonly marks: Marks;
  readonly budget: MemoryBudget;
  readonly spill: SpillFile;
  readonly queueMaxBytes: number;
  /** Wall time, a label. */
  readonly nowMs: number;
  /** When this life began, by its monotonic clock. */
  readonly beganAtMs: number;
  /** Why everything marked has to be sent again, when it has. */
  readonly startReason: string;
  /** How far the replica's history was known to be durable, as stored by an earlier life. */
  readonly confirmed?: Confirmed | undefined;
}

/** What the volume's writes are, whether or not somebody takes them now. */
type InnerMode = Exclude<ReplicationMode, 'UNCONFIRMED'>;

/** Where a write landed: sent in order, or kept by its mark only. */
export type Completion = { readonly kind: 'numbered'; readonly n: number } | { readonly kind: 'marked' };
const MARKED: Completion = { kind: 'marked' };

function labelOf(atMs: number, doubt: ClockDoubt | undefined): Pick<Fence, 'atMs' | 'doubt'> {
  return doubt === undefined ? { atMs } : { atMs, doubt };
}

/**
 * Who has a confirmation of the disk's writes needs no other proof: rows of before there was one
 * have only that.
 */
function stateOf({ refused, proven }: VolumeSplitRow, confirmed: Confirmed | undefined): SourceState {
  return refused ?? (proven === true || confirmed !== undefined ? 'present' : 'unproven');
}

/** The session of a volume that has none yet: lives are numbered from 1. */
export const NO_SESSION = 0;

export class VolumeSplit {
  readonly marks: Marks;
  #session: number;
  /**
   * Sessions of this life of the splitter: a lease that names one is measured by this life's clock.
   */
  readonly #sessions = new Set<number>();
  readonly #splitter: SplitterId;
  readonly #beganAtMs: number;
  readonly #queue: CopyQueue;
  /** Told of each change of the row, which is to be stored before the answer leaves. */
  onRow: (before: VolumeSplitRow) => void = () => undefined;
  #row: VolumeSplitRow;
  #lastN = 0;
  /**
   * The history that the replica's records belong to, and the position before this session's first
   * one; known once attached.
   */
  #lineage: { readonly id: LineageId; readonly base: number } | undefined;
  #confirmed: Confirmed | undefined;
  #confirmedN = 0;
  #mode: InnerMode;
  /** Number of the record that began the newest short initialization. */
  #initN = 0;
  /** Whether guests may use the disk, and so whether points may contain it. */
  sourceState: SourceState;
  /** How far the disk is made from the replica. */
  recovery: SplitterVolume['source']['recovery'];
  #marksOnlySince: { readonly sinceMs: number; readonly reason: string };
  #connected = false;
  #paused = false;
  #resentBytes = 0;
  #stalled: SplitterVolume['stalled'];
  /**
   * A fence outlived the splitter that raised it while writes were unconfirmed: its cut may never
   * be drained.
   */
  #fenceVoid: boolean;
  /** What the system said when the source could not be read last. */
  #whyUnreadable = '';
  /**
   * What an administrator should know, by topic: a newer sentence takes the place of an older one.
   */
  readonly #notes = new Map<string, string>();

  constructor(options: VolumeSplitOptions) {
    this.#session = options.session;
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
   * A number that no earlier life had is stored: from now on writes can be numbered. Those of
   * before are kept by marks.
   */
  startSession(session: number): void {
    this.#beginSession(session);
    if (this.marks.dirty + this.marks.doubted === 0) this.#mode = 'SYNCED';
  }

  /**
   * What is queued can't be sent: its copies are lost. Marks stand for it, and as numbers have no
   * gaps, the volume needs a new session before anything is numbered again. To be called detached.
   */
  loseQueue(reason: string, nowMs: number): void {
    this.#session = NO_SESSION;
    this.#fallBack(reason, nowMs);
    this.#dropQueue();
    if (this.#row.fence !== undefined) this.#fenceVoid = true;
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

  /**
   * This life's number for the volume, or a later one if the replica's history was forked since.
   */
  get session(): number {
    return this.#session;
  }

  get isSynced(): boolean {
    return this.#mode === 'SYNCED';
  }

  /**
   * As others see it: what is queued for an appliance that does not take it is not replicated now.
   */
  get mode(): ReplicationMode {
    if (this.sourceState !== 'present') return 'MARKS_ONLY';
    return this.#mode === 'SYNCED' && !this.#connected ? 'UNCONFIRMED' : this.#mode;
  }

  /**
   * How far the replica's history is known to be durable: to be stored before marks that rest on it
   * are cleared.
   */
  get confirmed(): Confirmed | undefined {
    return this.#confirmed;
  }

  get notes(): string[] {
    const unreadable = unreadableSentence(this.volume, this.#row.sizeBytes, this.marks.unreadable, this.#whyUnreadable);
    return [...this.#notes.values(), ...(unreadable === undefined ? [] : [unreadable])];
  }

  /** Says something about a topic; undefined takes it back. */
  note(topic: string, sentence: string | undefined): void {
    if (sentence === undefined) this.#notes.delete(topic);
    else this.#notes.set(topic, sentence);
  }

  /** Number of the newest numbered record. */
  get lastN(): number {
    return this.#lastN;
  }

  /** Whether everything that was numbered is known to be durable at the replica site. */
  get allConfirmed(): boolean {
    return this.#queue.isEmpty;
  }

  get connected(): boolean {
    return this.#connected;
  }

  #put(row: VolumeSplitRow): void {
    const before = this.#row;
    this.#row = row;
    this.onRow(before);
  }

  /** A change of the row could not be stored: it was none. */
  restore(row: VolumeSplitRow): void {
    this.#put(row);
  }

  /**
   * A change of the row is stored. What follows from it for the queue and the stream happens only
   * now.
   */
  settled(before: VolumeSplitRow): void {
    const { fence, route } = this.#row;
    if (before.fence !== undefined && before.fence.attempt.ticket !== fence?.attempt.ticket) this.#fenceVoid = false;
    if (before.route.epoch === route.epoch) return;
    const cut = before.fence?.cut;
    if (cut?.session === this.#session) this.receipt(cut.n);
    this.detached();
  }

  // ---- the guest's writes ----

  /**
   * A write begins.
   * @returns the regions whose mark must be stored before the source is written.
   */
  begin(offset: number, length: number): number[] {
    return this.marks.begin(offset, length);
  }

  /**
   * The source has the write: number it and queue its copy. Called under the range lock that
   * `begin` was called under, so that overlapping writes are numbered in the order in which they
   * reached the source.
   */
  complete(
    write:
      | { readonly kind: 'write'; readonly offset: number; readonly length: number; readonly data: Buffer }
      | { readonly kind: 'zeroes'; readonly offset: number; readonly length: number },
    nowMs: number,
  ): Completion {
    const admits = this.#mode !== 'MARKS_ONLY' && !this.#paused;
    const n = this.#lastN + 1;
    if (admits && this.#queue.push({ ...write, n, timeMs: nowMs }, this.#row.fence !== undefined)) {
      this.#lastN = n;
      this.marks.overwritten(write.offset, write.length);
      return { kind: 'numbered', n };
    }
    this.marks.worthATry(write.offset, write.length);
    this.#fallBack(this.#paused ? 'group paused' : 'backlog full', nowMs);
    this.marks.abandon(write.offset, write.length);
    return MARKED;
  }

  /**
   * The source refused the write: nobody knows what it holds now, so the regions are sent again.
   */
  fail(offset: number, length: number, nowMs: number): void {
    this.#fallBack('source write failed', nowMs);
    this.marks.abandon(offset, length);
  }

  /** A write that had begun is refused before anything of it reached the source. */
  withdraw(offset: number, length: number): void {
    this.marks.confirm(offset, length);
  }

  /**
   * From now on only marks are kept. What is in that state already, or being sent again, stays as
   * it is.
   */
  #fallBack(reason: string, nowMs: number): void {
    if (this.#mode !== 'SYNCED') return;
    this.#mode = 'MARKS_ONLY';
    this.#marksOnlySince = { sinceMs: nowMs, reason };
  }

  // ---- sending ----

  /** What the volume is attached with. */
  claim(): AttachClaim {
    const { route, source, replaces, notice, fence, decided } = this.#row;
    const tickets = [notice, fence, decided].map((known) => known?.attempt.ticket ?? 0);
    return {
      session: this.#session,
      epoch: route.epoch,
      group: route.group,
      source,
      replaces: replaces === true,
      ticket: Math.max(...tickets),
      ...(this.#confirmed === undefined ? {} : { confirmed: this.#confirmed }),
      ...(decided === undefined ? {} : { decided: { attempt: decided.attempt, verdict: decided.verdict } }),
    };
  }

  /**
   * The stream to the route's appliance is up for this volume; everything up to `n` of this session
   * is durable there, which began after position `base` of the lineage.
   */
  attached({ n, lineage, base }: { readonly n: number; readonly lineage: LineageId; readonly base: number }): void {
    this.#connected = true;
    this.#lineage = { id: lineage, base };
    this.receipt(n);
    this.#queue.rewind();
  }

  /**
   * The replica's history is not the one that was confirmed here: what was numbered has no place in
   * it, and what of the replica is as it is here nobody knows. The volume goes on as a session of
   * its own, and everything is compared. @returns regions to be marked in store.
   */
  startOver(session: number, lineage: Confirmed, reason: string, nowMs: number): number[] {
    this.detached();
    this.#dropQueue();
    this.#beginSession(session);
    this.#confirmed = lineage;
    if (this.#mode === 'INITIALIZING') this.#mode = 'MARKS_ONLY';
    return this.doubt(reason, nowMs);
  }

  /** Whether the replica site has taken nothing of the present session yet. */
  get isNewSession(): boolean {
    return this.#lineage === undefined;
  }

  /**
   * Another life used this session's number, or a later one. Only before the session was attached:
   * what is queued begins at 1 then.
   */
  renumber(session: number): void {
    this.detached();
    this.#beginSession(session, this.#lastN);
  }

  #beginSession(session: number, lastN = 0): void {
    this.#session = session;
    this.#sessions.add(session);
    this.#lastN = lastN;
    this.#confirmedN = 0;
    this.#lineage = undefined;
    this.#fenceVoid = this.#row.fence !== undefined;
  }

  /**
   * Nobody knows what of the replica is as it is here: everything is compared.
   * @returns regions to be marked in store.
   */
  doubt(reason: string, nowMs: number): number[] {
    this.#fallBack(reason, nowMs);
    const { reason: before } = this.#marksOnlySince;
    // What a person ordered is still why, though the other end has a reason of its own.
    const isDoubted = this.marks.doubted > 0 && !before.includes(reason);
    const why = isDoubted ? `${before}; ${reason}`.slice(0, REASON_LENGTH_MAX) : reason;
    this.#marksOnlySince = { ...this.#marksOnlySince, reason: why };
    return this.marks.doubtAll();
  }

  /**
   * Whether it is to be stored that marked regions are compared, or are not any more: a restart
   * goes on with that.
   */
  get isComparisonNews(): boolean {
    return this.marks.doubted > 0 !== (this.#row.comparing !== undefined);
  }

  keepComparison(): void {
    const { comparing: _before, ...row } = this.#row;
    if (!this.isComparisonNews) return;
    this.#put(this.marks.doubted > 0 ? { ...row, comparing: this.#marksOnlySince.reason } : row);
  }

  /**
   * A person wants regions sent again, whatever the replica has.
   * @returns regions to be marked in store.
   */
  sendAgain(regions: Iterable<number>, reason: string, nowMs: number): number[] {
    this.#fallBack(reason, nowMs);
    return this.marks.distrust(regions);
  }

  detached(): void {
    this.#connected = false;
    this.#queue.rewind();
  }

  /** The next copy to be sent. Behind a fence nothing beyond the cut is. */
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

  /** Everything up to `n` of this session is durable at the replica site. */
  receipt(n: number): void {
    this.#queue.confirm(n, (copy) => {
      if (copy.kind === 'write' || copy.kind === 'zeroes') this.marks.confirm(copy.offset, copy.length);
    });
    if (this.#lineage === undefined) return;
    this.#confirmedN = Math.max(this.#confirmedN, Math.min(n, this.#lastN));
    this.#confirmed = { lineage: this.#lineage.id, position: this.#lineage.base + this.#confirmedN };
  }

  /**
   * The replica site has been taking nothing more of the volume for a while; undefined when it does
   * again.
   */
  stalled(stalled: SplitterVolume['stalled']): void {
    this.#stalled = stalled;
  }

  /** The group was paused at its appliance: from now on only marks are kept. */
  pause(nowMs: number): void {
    this.#paused = true;
    this.#fallBack('group paused', nowMs);
  }

  resume(): void {
    this.#paused = false;
  }

  // ---- short initialization ----

  /**
   * Starts one when it is due and possible: connected, not fenced, what was numbered is confirmed.
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
   * The next range to read from the source, under the range lock, and pass to `resent`; undefined
   * when there is no room or none is left.
   */
  nextResend(): { readonly region: number; readonly offset: number; readonly length: number } | undefined {
    if (this.#mode !== 'INITIALIZING' || this.#row.fence !== undefined || this.#paused || !this.#queue.hasRoomForResend)
      return undefined;
    const region = this.marks.nextDirty();
    if (region === undefined) return undefined;
    const offset = region * REGION_BYTES;
    return { region, offset, length: Math.min(REGION_BYTES, this.#row.sizeBytes - offset) };
  }

  /** Whether a region that is to be sent again finds room now. */
  get hasRoomForResend(): boolean {
    return this.#queue.hasRoomForResend;
  }

  /**
   * A region as it is at the source now.
   * @returns false if there is no room after all: it stays dirty.
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
   * The source can't be read there: the region stays marked, is named, and is passed over until
   * `retryUnreadable`.
   */
  passOver(region: number, why: string): void {
    this.#whyUnreadable = why;
    this.marks.passOver(region);
  }

  /** Ends the short initialization once nothing is dirty. @returns whether it ended now. */
  finishInitialization(nowMs: number): boolean {
    if (this.#mode !== 'INITIALIZING' || this.marks.dirty + this.marks.doubted > 0) return false;
    this.#lastN += 1;
    this.#queue.pushMarker({ kind: 'initEnd', n: this.#lastN, timeMs: nowMs });
    this.#mode = 'SYNCED';
    return true;
  }

  /** Where the short initialization under way began; undefined without one. */
  get initializationMark(): WriteMark | undefined {
    return this.#mode === 'INITIALIZING' ? { session: this.#session, n: this.#initN } : undefined;
  }

  // ---- cuts ----

  /** Where the volume stands now, for a point of its group, or why it can't be in one. */
  standing(): (Cut & { readonly fencedBy?: AttemptRef }) | LeftOut {
    if (this.sourceState !== 'present') return { volume: this.volume, reason: 'inconsistent' };
    if (this.#mode === 'MARKS_ONLY') return { volume: this.volume, reason: 'marks-only' };
    if (this.#mode === 'INITIALIZING') return { volume: this.volume, reason: 'initializing' };
    const cut: Cut = { volume: this.volume, session: this.#session, n: this.#lastN };
    const { fence } = this.#row;
    return fence === undefined ? cut : { ...cut, fencedBy: { move: fence.attempt.move, n: fence.attempt.n } };
  }

  // ---- the control calls of a move: each may be repeated, delayed or reordered ----

  /** @throws MoverError when the attempt is over here, or older than one that is known. */
  #refuseOver(attempt: TicketedAttempt): void {
    const { decided, notice, fence } = this.#row;
    if (decided !== undefined && decided.attempt.ticket === attempt.ticket) {
      const code = decided.verdict === 'ABORTED' ? 'ATTEMPT_ABORTED' : 'ATTEMPT_COMMITTED';
      throw new MoverError(
        code,
        `Splitter ${this.#splitter} knows the verdict of attempt ${attemptName(attempt)} on volume "${this.volume}": ${decided.verdict}.`,
      );
    }
    const newest = Math.max(decided?.attempt.ticket ?? 0, notice?.attempt.ticket ?? 0, fence?.attempt.ticket ?? 0);
    if (newest > attempt.ticket)
      throw new MoverError(
        'STALE_ATTEMPT',
        `Splitter ${this.#splitter} has seen a newer attempt on volume "${this.volume}" than ${attemptName(attempt)}.`,
      );
  }

  /**
   * @throws MoverError ATTEMPT_ABORTED, ATTEMPT_COMMITTED, STALE_ATTEMPT, PENDING_VERDICT,
   * EPOCH_MISMATCH
   */
  checkNotify(attempt: TicketedAttempt, bound: AttemptVolume, from: Endpoint): void {
    this.#refuseOver(attempt);
    const { fence, route } = this.#row;
    if (fence !== undefined && fence.attempt.ticket !== attempt.ticket) {
      this.#put({ ...this.#row, fence: { ...fence, lapsed: true } });
      throw new MoverError(
        'PENDING_VERDICT',
        `Splitter ${this.#splitter} still awaits the verdict of attempt ${attemptName(fence.attempt)} on volume "${this.volume}".`,
      );
    }
    if (route.epoch !== bound.epoch || route.group !== from.group) {
      throw new MoverError(
        'EPOCH_MISMATCH',
        `Splitter ${this.#splitter} sends volume "${this.volume}" to group "${route.group}" at epoch ${route.epoch}, not "${from.group}" at epoch ${bound.epoch}.`,
      );
    }
  }

  /**
   * The replica site says who owns the volume: a later epoch than the one known here, without a
   * fence that awaits its verdict.
   */
  reroute(route: Endpoint & { readonly epoch: number }): void {
    const { notice: _over, ...row } = this.#row;
    if (row.fence === undefined && route.epoch > row.route.epoch) this.#put({ ...row, route });
  }

  /** A person decided what the volume's disk is. */
  replaceSource(source: SourceId): void {
    const { refused: _over, ...row } = this.#row;
    this.#put({ ...row, source, replaces: true, proven: true });
  }

  /** Whether the replica site's word about the disk is still to be stored. */
  get isSourceNews(): boolean {
    return this.#row.proven !== true || this.#row.replaces === true;
  }

  /** The replica site knows the disk. */
  sourceKnown(): void {
    const { replaces: _known, ...row } = this.#row;
    if (this.isSourceNews) this.#put({ ...row, proven: true });
  }

  /** A person vouches for the disk. The replica site may still say that it is another one. */
  vouchForSource(): void {
    this.#put({ ...this.#row, proven: true });
  }

  /** The disk is not what it should be: from now on, until a person decides. */
  refuseSource(refused: RefusedSource): void {
    if (this.#row.refused !== refused) this.#put({ ...this.#row, refused });
  }

  /** The very file that was missing is there again. */
  sourceBack(): void {
    const { refused, ...row } = this.#row;
    if (refused === 'missing') this.#put(row);
  }

  notify(notice: Notice): void {
    if (this.#row.notice?.attempt.ticket !== notice.attempt.ticket) this.#put({ ...this.#row, notice });
  }

  /**
   * @throws MoverError ATTEMPT_ABORTED, ATTEMPT_COMMITTED, STALE_ATTEMPT, PENDING_VERDICT,
   * FENCE_LAPSED, CUT_VOID, NOT_NOTIFIED, SOURCE_UNREADABLE, NOT_SYNCED
   */
  checkFence(attempt: TicketedAttempt): void {
    this.#refuseOver(attempt);
    const { fence, notice } = this.#row;
    if (fence !== undefined) {
      if (fence.attempt.ticket !== attempt.ticket)
        throw new MoverError(
          'PENDING_VERDICT',
          `Volume "${this.volume}" is fenced by attempt ${attemptName(fence.attempt)}.`,
        );
      if (fence.lapsed)
        throw new MoverError('FENCE_LAPSED', `The lease of the fence of volume "${this.volume}" ran out.`);
      if (this.#fenceVoid)
        throw new MoverError(
          'CUT_VOID',
          `Splitter ${this.#splitter} was restarted behind the fence of volume "${this.volume}".`,
        );
      return;
    }
    if (notice?.attempt.ticket !== attempt.ticket)
      throw new MoverError(
        'NOT_NOTIFIED',
        `Splitter ${this.#splitter} has no notice of attempt ${attemptName(attempt)} for volume "${this.volume}".`,
      );
    this.refuseUnreadable();
    if (this.#mode !== 'SYNCED' || this.#paused || this.sourceState !== 'present')
      throw new MoverError(
        'NOT_SYNCED',
        `Volume "${this.volume}" has writes that are known by marks only (${this.#mode}).`,
      );
  }

  /**
   * @throws MoverError SOURCE_UNREADABLE while a part of the source can't be read that has to be
   * sent again
   */
  refuseUnreadable(): void {
    const sentence = unreadableSentence(this.volume, this.#row.sizeBytes, this.marks.unreadable, this.#whyUnreadable);
    if (sentence !== undefined) throw new MoverError('SOURCE_UNREADABLE', sentence);
  }

  /**
   * Raises the fence, or finds it up: the cut is the same. `checkFence` passed for every volume of
   * the call.
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

  /** When the fence's lease runs out, by this life's monotonic clock; undefined without a fence. */
  get leaseEndsAtMs(): number | undefined {
    const lease = this.#row.fence?.lease;
    if (lease === undefined) return undefined;
    return this.#sessions.has(lease.session) ? lease.untilMs : this.#beganAtMs + lease.ms;
  }

  /** A renewal never shortens. */
  #leaseUntil(askedMs: number, monotonicMs: number): Lease {
    const untilMs = Math.max(askedMs, this.leaseEndsAtMs ?? 0);
    return { session: this.#session, untilMs, ms: Math.max(0, untilMs - monotonicMs) };
  }

  /**
   * @returns how long the lease lasts now.
   * @throws MoverError ATTEMPT_ABORTED, ATTEMPT_COMMITTED, STALE_ATTEMPT, NOT_FENCED, FENCE_LAPSED,
   * CUT_VOID
   */
  renew(attempt: TicketedAttempt, leaseMs: number, monotonicMs: number): number {
    this.#refuseOver(attempt);
    const { fence } = this.#row;
    if (fence?.attempt.ticket !== attempt.ticket)
      throw new MoverError('NOT_FENCED', `Volume "${this.volume}" has no fence of attempt ${attemptName(attempt)}.`);
    if (fence.lapsed)
      throw new MoverError('FENCE_LAPSED', `The lease of the fence of volume "${this.volume}" ran out.`);
    if (this.#fenceVoid)
      throw new MoverError(
        'CUT_VOID',
        `Splitter ${this.#splitter} was restarted behind the fence of volume "${this.volume}".`,
      );
    const lease = this.#leaseUntil(monotonicMs + leaseMs, monotonicMs);
    this.#put({ ...this.#row, fence: { ...fence, lease } });
    return lease.ms;
  }

  /** @returns whether the lease has just run out or had before: the verdict must be asked for. */
  lapse(monotonicMs: number): boolean {
    const { fence } = this.#row;
    if (fence === undefined) return false;
    if (!fence.lapsed && (this.leaseEndsAtMs ?? 0) <= monotonicMs)
      this.#put({ ...this.#row, fence: { ...fence, lapsed: true } });
    return this.#row.fence?.lapsed === true;
  }

  /** @throws MoverError STALE_ATTEMPT, NOT_FENCED, ATTEMPT_MISMATCH */
  checkLearn(attempt: TicketedAttempt, verdict: Verdict, bound: AttemptVolume): void {
    const { decided, fence, route } = this.#row;
    if (decided !== undefined && decided.attempt.ticket === attempt.ticket) {
      if (decided.verdict !== verdict)
        throw new MoverError(
          'ATTEMPT_MISMATCH',
          `The verdict of attempt ${attemptName(attempt)} is ${decided.verdict}, not ${verdict}.`,
        );
      return;
    }
    // A fence is lifted by its own verdict only, also when that of a newer attempt came first.
    if (fence?.attempt.ticket !== attempt.ticket) this.#refuseOver(attempt);
    if (verdict === 'ABORTED') return;
    if (fence?.attempt.ticket !== attempt.ticket)
      throw new MoverError(
        'NOT_FENCED',
        `Volume "${this.volume}" has no fence of attempt ${attemptName(attempt)}: it can't have been committed.`,
      );
    if (route.epoch !== bound.epoch)
      throw new MoverError(
        'STALE_ATTEMPT',
        `Volume "${this.volume}" is at epoch ${route.epoch}; attempt ${attemptName(attempt)} was bound to ${bound.epoch}.`,
      );
  }

  /** The verdict, once. An attempt never seen is remembered as over. */
  learn(attempt: TicketedAttempt, verdict: Verdict, bound: AttemptVolume, to: Endpoint, nowMs: number): void {
    const { notice, fence, ...row } = this.#row;
    if (row.decided?.attempt.ticket === attempt.ticket) return;
    const isNewest = (row.decided?.attempt.ticket ?? 0) < attempt.ticket;
    const decided =
      row.decided === undefined || isNewest
        ? { attempt, verdict, atMs: nowMs, backlogBytes: this.#backlogBytes() }
        : row.decided;
    const others = {
      // An older notice is over, unless its fence is up: it says where the verdict can be asked
      // for.
      ...(notice !== undefined &&
      notice.attempt.ticket !== attempt.ticket &&
      (notice.attempt.ticket > attempt.ticket || fence !== undefined)
        ? { notice }
        : {}),
      ...(fence !== undefined && fence.attempt.ticket !== attempt.ticket ? { fence } : {}),
    };
    const route = verdict === 'ABORTED' ? row.route : { ...to, epoch: bound.epoch + 1 };
    this.#put({ ...row, ...others, decided, route });
  }

  // ---- what others see ----

  get fenceVoid(): boolean {
    return this.#fenceVoid;
  }

  #backlogBytes(): number {
    const { fence } = this.#row;
    return fence === undefined ? 0 : this.#queue.dataBytesBeyond(fence.cut.session === this.#session ? fence.cut.n : 0);
  }

  /** What was learned of the newest decided attempt, if it is this one. */
  learned(attempt: TicketedAttempt): Learned | undefined {
    const { decided } = this.#row;
    if (decided?.attempt.ticket !== attempt.ticket) return undefined;
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
      unconfirmedBytes: this.#queue.dataBytes,
      backlogBytes: this.#backlogBytes(),
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
