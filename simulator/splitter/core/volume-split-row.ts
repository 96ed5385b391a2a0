// What a splitter remembers of a volume across restarts. It is stored before a control call is
// answered.
import type { Endpoint, TicketedAttempt, Verdict, WriteMark } from '../../../contracts/attempt.js';
import type { ClockDoubt } from '../../../contracts/clock.js';
import type { VolumeId } from '../../../contracts/ids.js';
import type { SourceId } from '../../../contracts/lineage.js';
import type { SourceState } from '../../../contracts/splitter-api.js';

/**
 * A lease in stored form. A monotonic instant means nothing in another life of the process, so the
 * lease names the session it was granted in. In a later life it runs again in full from the start:
 * a lease never decides, so a longer one is safe.
 */
export interface Lease {
  readonly session: number;
  /** End of the lease, by that life's monotonic clock. */
  readonly untilMs: number;
  /** Duration as last granted. */
  readonly ms: number;
}

export interface Fence {
  readonly attempt: TicketedAttempt;
  readonly cut: WriteMark;
  /** Wall time of the cut: a label. A repeated call gets the same one. */
  readonly atMs: number;
  /** Why the label may be wrong. */
  readonly doubt?: ClockDoubt | undefined;
  readonly lease: Lease;
  /**
   * The lease ran out, or a newer attempt arrived: the verdict is being asked for, and renewals are
   * refused.
   */
  readonly lapsed: boolean;
}

export interface Notice {
  readonly attempt: TicketedAttempt;
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly resolvers: readonly string[];
}

export interface VolumeSplitRow {
  readonly volume: VolumeId;
  readonly sizeBytes: number;
  /**
   * Its size before it last grew. The row is stored before the files grow: files of this size are
   * made larger at the next start.
   */
  readonly formerBytes?: number;
  readonly route: Endpoint & { readonly epoch: number };
  readonly notice?: Notice;
  readonly fence?: Fence;
  /** The newest attempt with a known verdict: it and every older one are over. */
  readonly decided?: {
    readonly attempt: TicketedAttempt;
    readonly verdict: Verdict;
    readonly atMs: number;
    readonly backlogBytes: number;
  };
  /**
   * The highest ticket of an attempt whose fence or notice was lifted without a verdict: the
   * replica site has forgotten the attempt. It and every older one are over.
   */
  readonly forgotten?: number;
  /** Identity of the disk that guests write. */
  readonly source: SourceId;
  /** A person put this disk in place of the former one, and the replica site does not know yet. */
  readonly replaces?: true;
  /**
   * The replica site took the disk once, or a person vouched for it: guests may use it while the
   * site is away.
   */
  readonly proven?: true;
  /** Fault of the disk, until a person decides. */
  readonly refused?: RefusedSource;
  /** Why marked regions are compared before they are sent; absent once none is left to compare. */
  readonly comparing?: string;
  /**
   * When a person retired it: it is not served, and its name is not used for another disk. The row
   * stays, so that an estate file that still has the volume does not bring it back.
   */
  readonly retired?: { readonly atMs: number };
}

/** Faults that only a person can decide about. */
export type RefusedSource = Extract<SourceState, 'missing' | 'foreign'>;
