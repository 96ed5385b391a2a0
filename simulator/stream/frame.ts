// The frames of the stream from splitter to appliance to replica site: what each says. How they
// look on the wire: header.ts.
import type { GroupId, SplitterId, VolumeId } from '../../contracts/ids.js';
import type { Advice, Confirmed, LifeId, LineageId, SourceId } from '../../contracts/lineage.js';
import type { TicketedAttempt, Verdict } from '../../contracts/attempt.js';
import type { ErrorCode } from '../../contracts/errors.js';

/**
 * Of a volume on this connection: its handle is a short name, chosen by the side that attaches it,
 * free again after detach.
 */
interface OfVolume {
  readonly handle: number;
}

/** A place in the volume's write order. */
interface AtPlace extends OfVolume {
  readonly session: number;
  readonly n: number;
}

/** What takes a number in the volume's write order, and so a position in its lineage. */
interface Numbered extends AtPlace {
  readonly epoch: number;
  /** When the guest wrote it, by the splitter's clock. */
  readonly timeMs: number;
}

/** First frame of a connection: who speaks, and where its control API is. */
export interface HelloFrame {
  readonly type: 'hello';
  readonly splitter: SplitterId;
  readonly controlUrl: string;
}

/** The volume's writes of this session and epoch are about to come under this handle. */
export interface AttachFrame extends OfVolume {
  readonly type: 'attach';
  readonly volume: VolumeId;
  readonly sizeBytes: number;
  readonly epoch: number;
  readonly session: number;
  /** The process that speaks: two lives of one session number are told apart. */
  readonly life: LifeId;
  /** Whom the splitter takes for the owner at this epoch. */
  readonly group: GroupId;
  /** The disk that guests write. */
  readonly source: SourceId;
  /** Whether a person said that this disk takes the place of the one before. */
  readonly replaces: boolean;
  /** What the splitter knows to be durable; absent when it knows nothing of a history. */
  readonly confirmed?: Confirmed | undefined;
  /** The highest ticket of an attempt that the splitter has seen for the volume; 0 for none. */
  readonly ticket: number;
  /** The newest verdict that it learned. */
  readonly decided?: { readonly attempt: TicketedAttempt; readonly verdict: Verdict } | undefined;
}

/** The answer: what is durable at the replica site already. The splitter goes on after it. */
export interface AttachedFrame extends AtPlace {
  readonly type: 'attached';
  readonly lineage: LineageId;
  /** Position in the lineage before the session's first record. */
  readonly base: number;
  /** The life that was attached before this one; absent at a volume's first attachment. */
  readonly former?: LifeId | undefined;
  /**
   * Runs of 64 KiB regions, [first, count], that records after the confirmed position changed;
   * absent when that is not known.
   */
  readonly touched?: readonly (readonly [first: number, count: number])[] | undefined;
}

export interface DetachFrame extends OfVolume {
  readonly type: 'detach';
}

/** The volume is not taken, or not any longer; its handle is free again. */
export interface RefusedFrame extends OfVolume {
  readonly type: 'refused';
  readonly code: ErrorCode;
  readonly message: string;
  /** What the splitter can do about it by itself. */
  readonly advice?: Advice | undefined;
}

export interface WriteFrame extends Numbered {
  readonly type: 'write';
  /** In bytes from the start of the volume. */
  readonly offset: number;
  readonly data: Buffer;
}

export interface ZeroesFrame extends Numbered {
  readonly type: 'zeroes';
  readonly offset: number;
  /** In bytes. */
  readonly length: number;
}

/** Short initialization begins: until its end the volume is not consistent. */
export interface InitBeginFrame extends Numbered {
  readonly type: 'initBegin';
  /** When the first write was left out of the stream, by the splitter's clock. */
  readonly sinceMs: number;
  readonly reason: string;
}

export interface InitEndFrame extends Numbered {
  readonly type: 'initEnd';
}

/** What takes a place in the volume's lineage, and costs credit. */
export type RecordFrame = WriteFrame | ZeroesFrame | InitBeginFrame | InitEndFrame;

/** Everything up to `n` of the session is durable at the replica site under this epoch. */
export interface ReceiptFrame extends AtPlace {
  readonly type: 'receipt';
  readonly epoch: number;
}

/**
 * How much may be sent under this attachment, in all since `attached`: the records' costs
 * (credit.ts). It only grows. The first one follows `attached`; one that grants nothing new says
 * why no more is granted.
 */
export interface CreditFrame extends OfVolume {
  readonly type: 'credit';
  readonly grantedBytes: number;
  /** What the replica site has taken in of the volume and not applied to the replica yet. */
  readonly unappliedBytes: number;
}

/** The volume's group is paused at the appliance: the splitter keeps marks only. */
export interface PauseFrame extends OfVolume {
  readonly type: 'pause';
}

export interface ResumeFrame extends OfVolume {
  readonly type: 'resume';
}

/** Says "still here"; answered by pong. Neither reaches the users of a connection. */
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

/**
 * A frame as it came in: views on the received bytes, which stay in memory as long as a view is
 * held.
 */
export interface RawFrame {
  readonly header: Buffer;
  readonly payload: Buffer;
}
