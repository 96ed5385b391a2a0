// The interface of one replica volume's journal. Code outside of the journal's folder uses these
// types only.
import type { Allocated } from '../../../disk/holes.js';
import type { Files } from './files.js';
import type { ByteRange, Damage } from './damage.js';
import type { JournalError } from './errors.js';
import type { Lineage } from './lineage.js';
import type { Retained } from './retained-positions.js';

/** Bytes of one write at most: NBD's customary limit of a request. */
export const WRITE_BYTES_MAX = 32 * 1024 * 1024;
/** Bytes of one image read at most, for the same reason. */
export const IMAGE_READ_BYTES_MAX = 32 * 1024 * 1024;
/** Characters of the reason of a short initialization at most: one line for people. */
export const REASON_LENGTH_MAX = 200;

/** Who sent a record and when. */
export interface RecordStamp {
  /** The splitter's session, uint32. A session begins only once in a volume. */
  readonly session: number;
  /** Number within the session: 1, 2, 3 ... without gaps. */
  readonly n: number;
  /** The volume's ownership number, uint32. The journal only stores it. */
  readonly epoch: number;
  /** The splitter's clock, milliseconds since 1970. */
  readonly timeMs: number;
}

/**
 * A record to append. Offsets and lengths are bytes of the volume. `data` must not change until the
 * record is durable.
 */
export type NewRecord = RecordStamp &
  (
    | {
        readonly kind: 'write';
        readonly offset: number;
        readonly data: Uint8Array;
        /** CRC-32 of `data`, if it was checked on arrival. Otherwise the journal computes it. */
        readonly dataCrc?: number | undefined;
      }
    | { readonly kind: 'zeroes'; readonly offset: number; readonly length: number }
    | { readonly kind: 'initBegin'; readonly sinceMs: number; readonly reason: string }
    | { readonly kind: 'initEnd' }
  );

/** A place in the volume's lineage; position, session and n are 0 before the first record. */
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
  /** Folder of this volume alone; created at the first record. */
  readonly directory: string;
  /** Size of the volume, bytes. */
  readonly sizeBytes: number;
  /** Survive power loss (fdatasync), not only a killed process. Default false. */
  readonly sync?: boolean;
  /** A segment file is closed near this size, bytes. Default 16 MiB. */
  readonly segmentBytes?: number;
  /**
   * The last position that others know of (points, an earlier life of the process). A journal that
   * ends before it has lost records, and opens with a new lineage. Default 0.
   */
  readonly knownPosition?: number;
  /** Called once per group of records that became durable. Must not throw. */
  readonly onDurable?: (durable: Durable) => void;
  /** Called once per batch applied to the replica. Must not throw. */
  readonly onApplied?: (applied: Applied) => void;
  /**
   * Called when a read finds damaged blocks of the replica image that were not known yet, after
   * they are stored. Must not throw.
   */
  readonly onReplicaDamaged?: () => void;
  /**
   * Called once, when the files failed. The journal refuses all calls until it is opened anew. Must
   * not throw.
   */
  readonly onFailed?: (error: JournalError) => void;
  /**
   * Called each time a file refuses. For `intake`, records appended but not durable are gone, and
   * must be appended again; distribution retries by itself, retention at the next `retain`. Must
   * not throw.
   */
  readonly onStalled?: (part: StalledPart, error: JournalError) => void;
  readonly log?: JournalLog;
  /** Default: the real file system, with one bounded set of open files for the whole process. */
  readonly files?: Files;
  /**
   * The same files with a reserve of room for work that must succeed on a full disk: opening, and
   * dropping history. Default: `files`.
   */
  readonly spareFiles?: Files;
}

/** A part of the journal that a full or failing disk can hold up while the others go on. */
export type StalledPart = 'intake' | 'distribution' | 'retention';

export interface Stall {
  /** The last refusal: a STALLED error. */
  readonly error: JournalError;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
}

export interface JournalStats {
  /** Bytes of DO segment files. */
  readonly doBytes: number;
  /** Bytes of UNDO segment files, with those that only open images still need. */
  readonly undoBytes: number;
  /** Records since the journal was opened. */
  readonly appendedRecords: number;
  readonly appliedRecords: number;
  readonly openImages: number;
  /**
   * Damaged blocks of the replica image that distribution has overwritten since the journal was
   * opened.
   */
  readonly damagedBlocks: number;
}

/** The volume as it was at one position. Distribution goes on meanwhile. */
export interface Image {
  readonly position: number;
  /**
   * How many ranges, not merged, and how many bytes are read from UNDO, not from the live replica.
   */
  readonly changedRanges: { readonly count: number; readonly bytes: number };
  /**
   * Reads bytes of the volume as of the image's position, at most {@link IMAGE_READ_BYTES_MAX}.
   * @throws JournalError OUT_OF_RANGE, CLOSED, CORRUPT
   */
  read(offset: number, length: number): Promise<Buffer>;
  /**
   * Fills the buffer with the bytes at `offset`. Both ends of the range are those of blocks, or of
   * the volume.
   * @throws JournalError OUT_OF_RANGE, CLOSED, CORRUPT
   */
  readInto(offset: number, into: Buffer): Promise<void>;
  /**
   * Which parts of the range surely read as zeroes: from its start on, about `countMax` of them.
   * @throws JournalError CLOSED
   */
  parts(offset: number, length: number, countMax: number): Promise<readonly Allocated[]>;
  /**
   * What is at `offset`: bytes that surely read as zeroes, or data, no more than `length` of them.
   * @throws JournalError CLOSED
   */
  partFrom(offset: number, length: number): Promise<Allocated>;
  /** Releases the UNDO that only this image needs. May be called again. */
  close(): void;
}

export interface RetainResult {
  /** The oldest openable position. */
  readonly trimPosition: number;
  /** Bytes of files freed. Files that open images read are deleted once those are closed. */
  readonly freedBytes: number;
  /** Whether nothing is left to do. False if the call's budget of work was used up: call again. */
  readonly done: boolean;
}

/** Bytes of the volume. */
export interface ChangedRange {
  readonly offset: number;
  readonly length: number;
}

/** The ranges of the volume that differ between two positions, or may. */
export interface Changes {
  /** How many ranges are held in memory. */
  readonly count: number;
  /** The changed parts of [start, end), in order: the first `countMax` of them. */
  within(start: number, end: number, countMax: number): readonly { readonly start: number; readonly end: number }[];
}

/** Replica image, DO journal and UNDO journal of one volume. */
export interface VolumeJournal {
  readonly sizeBytes: number;
  /**
   * Takes in a larger size: records up to it are accepted. Nothing is written before the next
   * record.
   * @throws JournalError OUT_OF_RANGE; CLOSED
   */
  grow(sizeBytes: number): void;
  /**
   * The history's identity. A volume without records gets a new one at each opening, as nothing of
   * it is stored yet.
   */
  readonly lineage: Lineage;
  /**
   * Whether the lineage began since this opening and has no records of its own: another fork is not
   * needed then.
   */
  readonly isLineageUnused: boolean;
  /** Known damage. Old UNDO is checked only when it is needed. */
  readonly damage: readonly Damage[];
  /** What must be sent again before the volume is whole; undefined if nothing. */
  readonly toResend: readonly ByteRange[] | 'all' | undefined;
  /**
   * Last durable record: it may be acknowledged. Session 0 after records were lost: the next record
   * begins a new session.
   */
  readonly durable: Durable;
  /** Last record that is wholly in the replica image. */
  readonly applied: Applied;
  /** The oldest position that an image can be opened at. */
  readonly trimPosition: number;
  /** The last position up to the given one whose record is durable and not lost. */
  soundPosition(position: number): number;
  /** Bytes of DO not yet applied, headers included. */
  readonly undistributedBytes: number;
  /** Bytes appended but not durable yet, headers included: they are in memory. */
  readonly unwrittenBytes: number;
  /** Why the journal stopped, if it did. */
  readonly failure: JournalError | undefined;
  /**
   * Parts that a full or failing disk holds up now. Nothing durable is lost, and the others go on.
   */
  readonly stalls: ReadonlyMap<StalledPart, Stall>;

  /**
   * The position before the session's first record (position = base + n). Old sessions are known
   * too.
   */
  sessionBase(session: number): number | undefined;
  /**
   * Session and number of a position; undefined for 0, for lost positions, and for those not
   * appended yet.
   */
  locate(position: number): Applied | undefined;
  /**
   * Gives each record the next position and returns the last one. Records appended in one turn of
   * the event loop are written together at its end; then `onDurable` is called.
   * @throws JournalError OUT_OF_ORDER, OUT_OF_RANGE (then no record is taken), FAILED, CLOSED
   */
  append(records: readonly NewRecord[]): number;

  /**
   * Begins a new lineage after the durable position. Resolves once it is stored. Positions continue
   * to grow.
   * @throws JournalError STALLED, FAILED, CLOSED
   */
  fork(reason: string): Promise<Lineage>;

  /**
   * Ranges that records after `position` changed; undefined if history does not reach back so far.
   * If `position` itself is not retained, answers as of the retained one before it, so with more
   * ranges. Waits until everything durable is applied.
   * @throws JournalError CORRUPT, FAILED, CLOSED; the signal's reason
   */
  changedAfter(position: number, signal?: AbortSignal): Promise<readonly ChangedRange[] | undefined>;

  /**
   * The ranges that records after position `from`, up to position `to`, changed. Both must be
   * openable. Takes time in proportion to the UNDO between them.
   * @throws JournalError DAMAGED, TRIMMED, BEYOND_DURABLE, OUT_OF_RANGE, FAILED, CLOSED; the
   * signal's reason
   */
  changedBetween(from: number, to: number, signal?: AbortSignal): Promise<Changes>;

  /** Stops after the batch under way; resolves once it is done. */
  pauseDistribution(): Promise<void>;
  resumeDistribution(): void;
  /**
   * Resolves once `position` is applied; it may not be appended yet.
   * @throws JournalError CORRUPT, FAILED, CLOSED; the signal's reason
   */
  whenApplied(position: number, signal?: AbortSignal): Promise<void>;

  /**
   * Opens the volume as of `position`, once that is applied. Takes time in proportion to the UNDO
   * after it. If only some bytes are damaged, the image opens and refuses to read them.
   * `evenInHole` opens positions whose records were lost too, to compare them with the source.
   * @throws JournalError DAMAGED, TRIMMED, BEYOND_DURABLE, OUT_OF_RANGE, FAILED, CLOSED
   */
  openImage(position: number, signal?: AbortSignal, evenInHole?: boolean): Promise<Image>;
  /**
   * Opens the replica image as it is now, even if it is damaged, to compare it with its source.
   * @throws JournalError FAILED, CLOSED
   */
  openReplica(): Promise<Image>;
  /** Known damage that keeps a position from being served whole; undefined if there is none. */
  damageAt(position: number): Damage | undefined;
  /**
   * Drops the UNDO of all positions but the retained ones, and refuses images of the others from
   * now on: a dropped position never comes back. Consolidates UNDO between neighbouring retained
   * positions to the first old content of each byte, unless that would free little. Does bounded
   * work in small slices: call again until `done`. Open images keep what they need. After an abort
   * the positions are dropped, and some of the files' work is left to the next call.
   * @throws JournalError OUT_OF_RANGE (not positions, or not ascending), STALLED, FAILED, CLOSED;
   * the signal's reason
   */
  retain(retained: Retained, signal?: AbortSignal): Promise<RetainResult>;
  /**
   * UNDO bytes (records with their headers) kept for each of the ascending positions: of records
   * after it up to the next given position; for the last one, up to the applied position.
   * @throws JournalError OUT_OF_RANGE, CORRUPT, FAILED, CLOSED
   */
  undoBytesAfter(positions: readonly number[]): Promise<readonly number[]>;

  stats(): JournalStats;
  /**
   * Writes what was appended and finishes the batch under way. The next opening distributes the
   * rest. May be called again.
   */
  close(): Promise<void>;
}
