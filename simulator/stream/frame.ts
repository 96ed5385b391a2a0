// The frames of the stream from splitter to appliance to replica site, and their meaning. Their
// form on the wire: header.ts.
import type { GroupId, SplitterId, VolumeId } from '../../contracts/ids.js';
import type { Advice, Confirmed, LifeId, LineageId, SourceId } from '../../contracts/lineage.js';
import type { TicketedAttempt, Verdict } from '../../contracts/attempt.js';
import type { ErrorCode } from '../../contracts/errors.js';

/**
 * A volume on this connection. Its handle is a short name chosen by the side that attaches it;
 * detach frees the handle.
 */
interface OfVolume {
  readonly handle: number;
}

/** A place in the volume's write order. */
interface AtPlace extends OfVolume {
  readonly session: number;
  readonly n: number;
}

/** A frame that takes a number in the volume's write order, and so a position in its lineage. */
interface Numbered extends AtPlace {
  readonly epoch: number;
  /** When the guest wrote it, by the splitter's clock. */
  readonly timeMs: number;
}

/** The first frame of a connection: the sender, and where its control API is. */
export interface HelloFrame {
  readonly type: 'hello';
  readonly splitter: SplitterId;
  readonly controlUrl: string;
}

/** Announces the volume's writes of this session and epoch under this handle. */
export interface AttachFrame extends OfVolume {
  readonly type: 'attach';
  readonly volume: VolumeId;
  readonly sizeBytes: number;
  readonly epoch: number;
  readonly session: number;
  /** The sending process's life: tells two lives with one session number apart. */
  readonly life: LifeId;
  /** The owner at this epoch, as far as the splitter knows. */
  readonly group: GroupId;
  /** The disk that guests write. */
  readonly source: SourceId;
  /** Whether a person said that this disk replaces the previous one. */
  readonly replaces: boolean;
  /** What the splitter knows to be durable; absent when it knows no history. */
  readonly confirmed?: Confirmed | undefined;
  /** The highest attempt ticket that the splitter has seen for the volume; 0 for none. */
  readonly ticket: number;
  /** The newest verdict that the splitter learned. */
  readonly decided?: { readonly attempt: TicketedAttempt; readonly verdict: Verdict } | undefined;
  /** Every attempt with a ticket up to this is over for the volume, and that is stored. */
  readonly over?: number | undefined;
}

/** Answers attach: what is already durable at the replica site. The splitter continues after it. */
export interface AttachedFrame extends AtPlace {
  readonly type: 'attached';
  readonly lineage: LineageId;
  /** Position in the lineage before the session's first record. */
  readonly base: number;
  /** The life attached before this one; absent at a volume's first attachment. */
  readonly former?: LifeId | undefined;
  /**
   * Runs of 64 KiB regions, [first, count], changed by records after the confirmed position; absent
   * when unknown.
   */
  readonly touched?: readonly (readonly [first: number, count: number])[] | undefined;
  /** A short initialization began here, and its end is not durable. */
  readonly initializing?: true | undefined;
}

export interface DetachFrame extends OfVolume {
  readonly type: 'detach';
}

/** Refuses the volume, now or from now on; its handle is free again. */
export interface RefusedFrame extends OfVolume {
  readonly type: 'refused';
  readonly code: ErrorCode;
  readonly message: string;
  /** What the splitter can do about it by itself. */
  readonly advice?: Advice | undefined;
}

export interface WriteFrame extends Numbered {
  readonly type: 'write';
  /** Bytes from the start of the volume. */
  readonly offset: number;
  readonly data: Buffer;
}

export interface ZeroesFrame extends Numbered {
  readonly type: 'zeroes';
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** Begins a short initialization: the volume is inconsistent until its end. */
export interface InitBeginFrame extends Numbered {
  readonly type: 'initBegin';
  /** When the first write was left out of the stream, by the splitter's clock. */
  readonly sinceMs: number;
  readonly reason: string;
}

export interface InitEndFrame extends Numbered {
  readonly type: 'initEnd';
}

/** A frame that takes a place in the volume's lineage and costs credit. */
export type RecordFrame = WriteFrame | ZeroesFrame | InitBeginFrame | InitEndFrame;

/** Confirms everything up to `n` of the session as durable at the replica site under this epoch. */
export interface ReceiptFrame extends AtPlace {
  readonly type: 'receipt';
  readonly epoch: number;
}

/**
 * Grants credit: the total cost of records (credit.ts) that may be sent since `attached`. It only
 * grows. The first one follows `attached`; a repeated total tells why no more is granted.
 */
export interface CreditFrame extends OfVolume {
  readonly type: 'credit';
  readonly grantedBytes: number;
  /** Bytes of the volume that the replica site has taken and not yet applied to the replica. */
  readonly unappliedBytes: number;
}

/** The volume's group is paused at the appliance: the splitter only sets marks. */
export interface PauseFrame extends OfVolume {
  readonly type: 'pause';
}

export interface ResumeFrame extends OfVolume {
  readonly type: 'resume';
}

/** Asks whether the peer is alive; answered by pong. Neither frame reaches a connection's user. */
export interface PingFrame {
  readonly type: 'ping';
}

export interface PongFrame {
  readonly type: 'pong';
}

export type Frame =
  | HelloFrame
  | AttachFrame
  | AttachedFrame
  | DetachFrame
  | RefusedFrame
  | WriteFrame
  | ZeroesFrame
  | InitBeginFrame
  | InitEndFrame
  | ReceiptFrame
  | CreditFrame
  | PauseFrame
  | ResumeFrame
  | PingFrame
  | PongFrame;

export type FrameType = Frame['type'];

/** A frame as received: views on the received bytes, which stay in memory while a view is held. */
export interface RawFrame {
  readonly header: Buffer;
  readonly payload: Buffer;
}
