// What the journal of one replica volume offers: everything outside this folder uses these types
// only.
import type { Files } from './files.js';
import type { ByteRange, Damage } from './damage.js';
import type { JournalError } from './errors.js';
import type { Lineage } from './lineage.js';
import type { Retained } from './retained-positions.js';

/** Bytes of one write at most: NBD's customary limit of a request. */
export const WRITE_BYTES_MAX = 32 * 1024 * 1024;
/** Bytes of one image read at most, for the same reason. */
export const IMAGE_READ_BYTES_MAX = 32 * 1024 * 1024;
/** Characters of the reason of a short initialization at most: a line for people. */
export const REASON_LENGTH_MAX = 200;

/** Who sent a record and when. */
export interface RecordStamp {
  /** The splitter's session, uint32; a volume never sees the same one begin twice. */
  readonly session: number;
  /** Number within the session: 1, 2, 3 ... without gaps. */
  readonly n: number;
  /** Ownership number of the volume, uint32; only stored here. */
  readonly epoch: number;
  /** The splitter's clock, milliseconds since 1970. */
  readonly timeMs: number;
}

/**
 * `data` must not change until the record is durable. Offsets and lengths are bytes of the volume.
 */
export type NewRecord = RecordStamp &
  (
    | { readonly kind: 'write'; readonly offset: number; readonly data: Uint8Array }
    | { readonly kind: 'zeroes'; readonly offset: number; readonly length: number }
    | { readonly kind: 'initBegin'; readonly sinceMs: number; readonly reason: string }
    | { readonly kind: 'initEnd' }
  );

/** A place in the volume's lineage; position 0, session 0, n 0 before its first record. */
export interface Applied {
  readonly position: number;
  readonly session: number;
  readonly n: number;
}

export interface Durable extends Applied {
  /** Splitter's clock of the record, milliseconds since 1970. */
  readonly timeMs: number;
}

/** The part of a pino logger that the journal uses. */
export interface JournalLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface JournalOptions {
  /** Folder of this volume alone; made at the first record. */
  readonly directory: string;
  /** Size of the volume, bytes. */
  readonly sizeBytes: number;
  /** Survive power loss (fdatasync), not only a killed process. Default false. */
  readonly sync?: boolean;
  /** A segment file is closed near this size, bytes. Default 16 MiB. */
  readonly segmentBytes?: number;
  /**
   * Positions up to this one existed, as others remember (points, an earlier life of the process).
   * A journal that reaches less far has lost records, and opens with a new lineage. Default 0.
   */
  readonly knownPosition?: number;
  /** Called once per group of records that became durable. Must not throw. */
  readonly onDurable?: (durable: Durable) => void;
  /** Called once per batch applied to the replica. Must not throw. */
  readonly onApplied?: (applied: Applied) => void;
  /**
   * Called when a read finds blocks of the replica image damaged that were not known to be; they
   * are stored then. Must not throw.
   */
  readonly onReplicaDamaged?: () => void;
  /**
   * Called once, when the files failed; the journal then takes nothing more until opened anew. Must
   * not throw.
   */
  readonly onFailed?: (error: JournalError) => void;
  /**
   * Called at each try that a file refused. `intake`: what was appended and isn't durable is gone,
   * and has to be appended again; the others are tried again by themselves, or at the next
   * `retain`. Must not throw.
   */
  readonly onStalled?: (part: StalledPart, error: JournalError) => void;
  readonly log?: JournalLog;
  /** Default: the real file system, with one bounded set of open files for the whole process. */
  readonly files?: Files;
  /**
   * The same files for what must go on when the disk is full: opening, and letting go of history.
   * Default: `files`.
   */
  readonly spareFiles?: Files;
}

/** What of a journal a full or failing disk can hold up while the rest goes on. */
export type StalledPart = 'intake' | 'distribution' | 'retention';

export interface Stall {
  /** STALLED: the last refusal. */
  readonly error: JournalError;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
}

export interface JournalStats {
  /** Bytes of DO and UNDO segment files, with those that only open images still need. */
  readonly doBytes: number;
  readonly undoBytes: number;
  /** Records since the journal was opened. */
  readonly appendedRecords: number;
  readonly appliedRecords: number;
  readonly openImages: number;
  /**
   * Blocks of the replica image that distribution found damaged when overwriting them, since the
   * journal was opened.
   */
  readonly damagedBlocks: number;
}

/** The volume as it was at one position; distribution goes on beneath it. */
export interface Image {
  readonly position: number;
  /**
   * Ranges (not merged) and bytes that differ in origin from the live replica: what UNDO covers.
   */
  readonly changedRanges: { readonly count: number; readonly bytes: number };
  /**
   * The bytes of the volume at the image's position; at most {@link IMAGE_READ_BYTES_MAX}.
   * @throws JournalError OUT_OF_RANGE, CLOSED, CORRUPT
   */
  read(offset: number, length: number): Promise<Buffer>;
  /** Lets trimmed UNDO be deleted. May be called again. */
  close(): void;
}

export interface RetainResult {
  /** The oldest openable position. */
  readonly trimPosition: number;
  /** Bytes of files freed; those that open images read go once these are closed. */
  readonly freedBytes: number;
  /** Nothing was left to do; false when the call's budget of work was used up: call again. */
  readonly done: boolean;
}

/** Bytes of the volume. */
export interface ChangedRange {
  readonly offset: number;
  readonly length: number;
}

/** Replica image, DO journal and UNDO journal of one volume. */
export interface VolumeJournal {
  readonly sizeBytes: number;
  /** Of a volume without records it is another one at each opening: nothing of it is stored yet. */
  readonly lineage: Lineage;
  /**
   * Whether the lineage began in this life of the journal and has no record of its own: another
   * fork would tell nothing new.
   */
  readonly isLineageUnused: boolean;
  /**
   * What can't be vouched for, as far as it is known: old UNDO is looked at only when it is needed.
   */
  readonly damage: readonly Damage[];
  /** What has to be sent again before the volume is whole again; undefined if nothing has. */
  readonly toResend: readonly ByteRange[] | 'all' | undefined;
  /**
   * Last durable record: what may be acknowledged. Of no session after records were lost: the next
   * begins a new one.
   */
  readonly durable: Durable;
  /** Last record that is wholly in the replica image. */
  readonly applied: Applied;
  /** The oldest position that an image can be opened of. */
  readonly trimPosition: number;
  /** The last position up to the given one whose record was not lost, and is durable. */
  soundPosition(position: number): number;
  /** Bytes of DO not yet applied, headers included. */
  readonly undistributedBytes: number;
  /** Bytes that were appended and are not durable yet, headers included: they are in memory. */
  readonly unwrittenBytes: number;
  /** Why the journal stopped, if it did. */
  readonly failure: JournalError | undefined;
  /** What a full or failing disk holds up now; nothing durable is lost, and all else goes on. */
  readonly stalls: ReadonlyMap<StalledPart, Stall>;

  /**
   * The position before the session's first record (position = base + n), also for old sessions.
   */
  sessionBase(session: number): number | undefined;
  /** Where a position came from; undefined for 0 and for positions not appended yet. */
  locate(position: number): Applied | undefined;
  /**
   * Gives each record the next position and returns the last one. Records appended in one turn of
   * the event loop are written together at its end; `onDurable` tells when.
   * @throws JournalError OUT_OF_ORDER, OUT_OF_RANGE (then none is taken), FAILED, CLOSED
   */
  append(records: readonly NewRecord[]): number;

  /**
   * Begins a new lineage identity that goes on from the durable position; resolves once it is
   * stored. Positions grow on.
   * @throws JournalError STALLED, FAILED, CLOSED
   */
  fork(reason: string): Promise<Lineage>;

  /**
   * Ranges that records after `position` changed, and perhaps some more (where positions between
   * were let go of, as of the last one before it that is openable); undefined when history does not
   * reach back so far. Waits until everything durable is applied.
   * @throws JournalError CORRUPT, FAILED, CLOSED; the signal's reason
   */
  changedAfter(position: number, signal?: AbortSignal): Promise<readonly ChangedRange[] | undefined>;

  /** Stops after the batch under way; resolves once it is done. */
  pauseDistribution(): Promise<void>;
  resumeDistribution(): void;
  /**
   * Resolves once `position`, which may lie in the future, is applied. Rejects with CORRUPT,
   * FAILED, CLOSED or the signal's reason.
   */
  whenApplied(position: number, signal?: AbortSignal): Promise<void>;

  /**
   * Opens the volume as of `position`, waiting until it is applied. Costs time in proportion to the
   * UNDO after it. Where damage is known to certain bytes only, the image opens, and reads of these
   * are refused. `evenInHole`: also where records were lost, to be compared with the source.
   * @throws JournalError DAMAGED, TRIMMED, BEYOND_DURABLE, OUT_OF_RANGE, FAILED, CLOSED
   */
  openImage(position: number, signal?: AbortSignal, evenInHole?: boolean): Promise<Image>;
  /**
   * Opens the replica image as it is now, whole or not: to be compared with its source.
   * @throws JournalError FAILED, CLOSED
   */
  openReplica(): Promise<Image>;
  /** Why a position can't be served, or not wholly, as far as it is known. */
  damageAt(position: number): Damage | undefined;
  /**
   * Lets go of the UNDO of all positions but the retained ones, and refuses images of others from
   * now on: a position once let go never comes back. Between neighbouring retained positions UNDO
   * is consolidated to the first old content of each byte, nearly: what would free little is left.
   * Does bounded work in small slices; call again until `done`. Open images keep what they need.
   * Aborting leaves the positions let go of, and some work undone.
   * @throws JournalError OUT_OF_RANGE (no positions, or not ascending), STALLED, FAILED, CLOSED; or
   * the signal's reason
   */
  retain(retained: Retained, signal?: AbortSignal): Promise<RetainResult>;
  /**
   * UNDO bytes (records with their headers) kept for each position's sake: of records after it up
   * to the next given position, the last one's up to the applied position. Takes ascending
   * positions, answers as many numbers.
   * @throws JournalError OUT_OF_RANGE, CORRUPT, FAILED, CLOSED
   */
  undoBytesAfter(positions: readonly number[]): Promise<readonly number[]>;

  stats(): JournalStats;
  /**
   * Finishes what was appended and the batch under way. Undistributed records go on at the next
   * opening. May be called again.
   */
  close(): Promise<void>;
}
