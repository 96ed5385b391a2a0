// The steps of a move as the saga sees them. In production each is a Temporal activity, in the
// simulation a plain function. Arguments and results are stored in Temporal's history, so they are
// plain JSON and small.
import type { AttemptRecord, AttemptRef, AttemptVolume, Cut, Endpoint, TicketedAttempt, Verdict } from './attempt.js';
import type { ClockDoubt } from './clock.js';
import type { MovedVolume, ParsedMoveInput } from './move.js';
import type { GroupId, MoveId, PointId, VolumeId } from './ids.js';

/** What every step after notify needs to know about the attempt. */
export interface AttemptContext {
  readonly attempt: TicketedAttempt;
  readonly volumes: readonly AttemptVolume[];
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly options: ParsedMoveInput['options'];
}

/** What notify finds instead of opening an attempt: other moves hold volumes of the move. */
export interface Held {
  readonly holders: readonly {
    readonly volume: VolumeId;
    readonly move: MoveId;
    /** How long its lease still ran then, ms; absent in histories of earlier versions. */
    readonly leaseMs?: number;
  }[];
  /** The group that the volumes were in. The move takes them from there or not at all. */
  readonly from: GroupId;
}

/** The result of the flush: the fence's cuts and their time. */
export interface Flushed {
  readonly cuts: readonly Cut[];
  /** Cuts of the old group's other members at the same instant; empty with several splitters. */
  readonly others: readonly Cut[];
  readonly cutAtMs: number;
  /** Why that time may be wrong: a splitter's clock had jumped. */
  readonly clockDoubt?: ClockDoubt;
  /** Set if hooks held the applications of the volumes frozen at the cut. */
  readonly applicationConsistent?: true;
  /**
   * Bytes sent by short initialization so far, per volume. The report gives the growth since then.
   */
  readonly resentBytes: readonly { readonly volume: VolumeId; readonly bytes: number }[];
}

/** What a move stands by for. */
export type StandByUntil = 'approved' | 'window';

export interface Snapshot {
  readonly point: PointId;
  readonly seals: AttemptRecord['seals'];
}

export interface Reconfigured {
  readonly committedAtMs: number;
  /** The end of the way back, as the commit set it; absent for a move without one. */
  readonly reversibleUntilMs?: number;
  /** When the last splitter learned the verdict. */
  readonly learnedAtMs: number;
  readonly joined: { readonly point: PointId; readonly name: string };
  readonly left: { readonly point: PointId; readonly name: string };
  readonly volumes: readonly MovedVolume[];
}

/**
 * The steps. Each may be called again with the same arguments at any time, even by a zombie:
 * splitters and replica site hold the guards. A step that can't do its work throws; the error's
 * code says whether a retry may help.
 */
export interface MoveSteps {
  /**
   * Reads the next ticket, before the attempt is planned: the attempt can have no lower one.
   * Undefined for a history or a replica site of an earlier version.
   */
  ticketFloor(): Promise<number | undefined>;
  /**
   * Checks the plan, opens the attempt, and notifies each splitter. A move that queues is told who
   * holds its volumes.
   */
  notify(input: ParsedMoveInput, attempt: AttemptRef, floor?: number): Promise<AttemptContext | Held>;
  /** Waits until none of the holders holds its volume any more. */
  awaitTurn(input: ParsedMoveInput, attempt: AttemptRef, held: Held, sinceMs: number): Promise<void>;
  /**
   * Keeps an attempt ready for its fence: renews its lease and looks how much is in transit. Ends
   * at the earliest time for a fence, or, for an approval, when it is cancelled.
   */
  standBy(context: AttemptContext, until: StandByUntil): Promise<void>;
  flush(context: AttemptContext): Promise<Flushed>;
  snapshot(context: AttemptContext, flushed: Flushed): Promise<Snapshot>;
  bookmark(context: AttemptContext): Promise<void>;
  /**
   * Adopts, sends the verdict to the splitters, and joins. After a commit it completes what is
   * left.
   */
  reconfigure(context: AttemptContext, flushed: Flushed): Promise<Reconfigured>;
  /** Compensation: gets the final verdict; aborts the attempt if it is open. */
  resolve(attempt: AttemptRef, reason: string, floor?: number): Promise<AttemptRecord>;
  /** Compensation: tells every splitter of the record the verdict. */
  learn(record: AttemptRecord, verdict: Verdict): Promise<void>;
}
