// The steps of a move as the saga sees them. In production each is a Temporal activity; in the
// simulation a plain function. Arguments and results cross Temporal's history: plain JSON, small.
import type { AttemptRecord, AttemptRef, AttemptVolume, Cut, Endpoint, TicketedAttempt, Verdict } from './attempt.js';
import type { ClockDoubt } from './clock.js';
import type { MovedVolume, ParsedMoveInput } from './move.js';
import type { PointId, VolumeId } from './ids.js';

/** What every step after notify needs to know of the attempt. */
export interface AttemptContext {
  readonly attempt: TicketedAttempt;
  readonly volumes: readonly AttemptVolume[];
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly options: ParsedMoveInput['options'];
}

/** Where the volumes' writes are held by the fence, and the place and time of the cut. */
export interface Flushed {
  readonly cuts: readonly Cut[];
  /** Other members of the old group at the same instant; empty with several splitters. */
  readonly others: readonly Cut[];
  readonly cutAtMs: number;
  /** Why that time may be wrong: a splitter's clock had jumped. */
  readonly clockDoubt?: ClockDoubt;
  /** Bytes sent by short initialization so far, by volume: the report tells the difference. */
  readonly resentBytes: readonly { readonly volume: VolumeId; readonly bytes: number }[];
}

export interface Snapshot {
  readonly point: PointId;
  readonly seals: AttemptRecord['seals'];
}

export interface Reconfigured {
  readonly committedAtMs: number;
  /** When the last splitter learned the verdict. */
  readonly learnedAtMs: number;
  readonly joined: { readonly point: PointId; readonly name: string };
  readonly left: { readonly point: PointId; readonly name: string };
  readonly volumes: readonly MovedVolume[];
}

/**
 * Each step may be called again with the same arguments, at any time, by a zombie too: the guards
 * are at the splitters and the replica site. A step that can't do its work throws; the error's code
 * says whether trying again may help.
 */
export interface MoveSteps {
  /** Plan's checks, then open, then notify at each splitter. */
  notify(input: ParsedMoveInput, attempt: AttemptRef): Promise<AttemptContext>;
  flush(context: AttemptContext): Promise<Flushed>;
  snapshot(context: AttemptContext, flushed: Flushed): Promise<Snapshot>;
  bookmark(context: AttemptContext): Promise<void>;
  /** Adopt, learn, join. After a commit it completes whatever is left of it. */
  reconfigure(context: AttemptContext, flushed: Flushed): Promise<Reconfigured>;
  /** Compensation: the verdict, for ever. */
  resolve(attempt: AttemptRef, reason: string): Promise<AttemptRecord>;
  /** Compensation: every splitter of the record learns that it was aborted. */
  learn(record: AttemptRecord, verdict: Verdict): Promise<void>;
}
