// What the replica site remembers for ever: the rows of its tables. Plain JSON; times and positions
// as in the contracts.
import type { AttemptRecord, AttemptRef, WriteMark } from '../../../contracts/attempt.js';
import {
  pointIdSchema,
  type ApplianceId,
  type GroupId,
  type PointId,
  type SplitterId,
  type VolumeId,
} from '../../../contracts/ids.js';
import type { LifeId, LineageId, SourceId } from '../../../contracts/lineage.js';
import type { Labels } from '../../../contracts/inventory.js';
import type { Hole, Ownership, RecoveryPoint } from '../../../contracts/point.js';
import type { GroupJournal, RetentionPolicy } from '../../../contracts/retention.js';

export interface GroupRow {
  readonly group: GroupId;
  readonly appliance: ApplianceId;
  readonly volumesMax: number;
  readonly pointEveryMs: number;
  /** The time of the newest point that is no snapshot: a label, which may be wrong. */
  readonly lastPointAtMs: number;
  /** Its place in the timeline; absent before the first one. */
  readonly lastOrder?: number;
  /** Numbers of the snapshots that follow it. */
  readonly snapshots?: readonly number[];
  readonly retention: RetentionPolicy;
  readonly journal: GroupJournal;
}

export interface VolumeRow {
  readonly volume: VolumeId;
  readonly splitter: SplitterId;
  readonly sizeBytes: number;
  readonly group: GroupId;
  readonly epoch: number;
  /** The newest session that attached; older ones are refused. */
  readonly session: number;
  readonly openAttempt?: AttemptRef;
  /** Set between seal and verdict: nothing more is accepted. */
  readonly sealed: boolean;
  /** The hole that is still open, by its key. */
  readonly openHole?: string;
  /** As the estate file says. */
  readonly vm?: string;
  readonly labels?: Labels;
  /**
   * The disk that the replica is made from; absent before the first attachment, as the next two.
   */
  readonly source?: SourceId;
  /** The life of the splitter that attached as the session. */
  readonly life?: LifeId;
  /** The lineage whose positions the rows speak of. */
  readonly lineage?: LineageId;
}

export interface AttemptRow {
  readonly record: AttemptRecord;
}

export interface PointRow {
  readonly point: RecoveryPoint;
  /** Set while a running move needs the point. */
  readonly pinnedBy?: AttemptRef;
  /** For provisional members: where they stand in the splitter's own numbering. */
  readonly provisionalMarks: Readonly<Record<string, WriteMark>>;
}

export interface OwnerRow {
  readonly owner: Ownership;
}

export interface HoleRow {
  readonly hole: Hole;
}

/** The highest number of attempts opened for a move. */
export interface MoveRow {
  readonly highestN: number;
}

export interface CounterRow {
  readonly next: number;
}

/**
 * What the core needs to know of the journals: each answer is about records that are durable here.
 */
export interface Lineages {
  /** The newest durable record; position 0, session 0 and n 0 before the first. */
  durable(volume: VolumeId): {
    readonly position: number;
    readonly session: number;
    readonly n: number;
    readonly timeMs: number;
  };
  /**
   * The last position up to the given one whose record is there: others may have been given, and
   * are lost. What comes next follows `durable` all the same: no position is ever given twice.
   */
  soundPosition(volume: VolumeId, position: number): number;
  /** The identity of the volume's history as its journal has it. */
  lineage(volume: VolumeId): LineageId;
  /** The position up to which the replica volume has everything. */
  appliedPosition(volume: VolumeId): number;
  undistributedBytes(volume: VolumeId): number;
  /** Position before the session's first record; undefined while the session has none. */
  sessionBase(volume: VolumeId, session: number): number | undefined;
}

/** Named so that a point of the row's group is found from its id alone. */
export function pointIdOf(number: number): PointId {
  return pointIdSchema.parse(`p${String(number).padStart(9, '0')}`);
}
