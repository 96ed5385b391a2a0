// The rows of the replica site's tables: what it remembers across restarts. Plain JSON; times and
// positions as in the contracts.
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
  /** The RPO that a person has set; absent: what the interval of points allows. */
  readonly rpoMsMax?: number;
  /** The time of the newest point that is no snapshot: a label, which may be wrong. */
  readonly lastPointAtMs: number;
  /** The newest point's place in the timeline; absent before the first one. */
  readonly lastOrder?: number;
  /** Numbers of the snapshots that follow the newest point. */
  readonly snapshots?: readonly number[];
  readonly retention: RetentionPolicy;
  readonly journal: GroupJournal;
  /**
   * The settings that were last taken from the estate file. A start follows the file only where it
   * says something new, so what was changed at run time stays. Absent in groups that the file
   * never named, and in rows of earlier versions.
   */
  readonly declared?: GroupSettings;
  /** When it was retired: no points of it are closed any more. */
  readonly retired?: Retired;
}

/** The records after a position, up to the next sender's, came from one life of the splitter. */
export interface Sender {
  readonly base: number;
  readonly life: LifeId;
}

/** The size that a volume had up to a position. */
export interface FormerSize {
  readonly upTo: number;
  readonly sizeBytes: number;
}

/** When a person retired a volume, group, appliance or splitter: a label. */
export interface Retired {
  readonly atMs: number;
}

/** What the estate file, or a person at run time, decides of a group. */
export type GroupSettings = Pick<GroupRow, 'appliance' | 'volumesMax' | 'pointEveryMs' | 'rpoMsMax' | 'retention'>;

/** Settings as they arrive: what is not set may be undefined. */
export type GivenSettings = Omit<GroupSettings, 'rpoMsMax'> & { readonly rpoMsMax?: number | undefined };

/** Settings as rows have them: what is not set is absent. */
export function groupSettings({
  appliance,
  volumesMax,
  pointEveryMs,
  rpoMsMax,
  retention,
}: GivenSettings): GroupSettings {
  const settings = { appliance, volumesMax, pointEveryMs, retention };
  return rpoMsMax === undefined ? settings : { ...settings, rpoMsMax };
}

/** A group's row with other settings. */
export function withSettings({ rpoMsMax: _former, ...row }: GroupRow, settings: GivenSettings): GroupRow {
  return { ...row, ...groupSettings(settings) };
}

export interface VolumeRow {
  readonly volume: VolumeId;
  readonly splitter: SplitterId;
  /** The size that its splitter serves, and that its newest points have. */
  readonly sizeBytes: number;
  /** A larger size that a person ordered, until its splitter attaches with it. */
  readonly acceptedBytes?: number;
  /** The sizes before, oldest first. */
  readonly sizes?: readonly FormerSize[];
  readonly group: GroupId;
  readonly epoch: number;
  /** The newest session that attached; older ones are refused. */
  readonly session: number;
  readonly openAttempt?: AttemptRef;
  /** Whether the volume is between seal and verdict: no record is accepted. */
  readonly sealed: boolean;
  /** The group that the volume was added to. Set once its first span of ownership is forgotten. */
  readonly addedTo?: GroupId;
  /**
   * The splitter has stored that every attempt with a ticket up to this is over for the volume.
   */
  readonly over?: number;
  /** Key of the hole that is still open. */
  readonly openHole?: string;
  /** Name of the virtual machine, from the estate file. */
  readonly vm?: string;
  readonly labels?: Labels;
  /**
   * The disk that the replica is made from. This and the next two are absent before the first
   * attachment.
   */
  readonly source?: SourceId;
  /** The life of the splitter that attached as the session. */
  readonly life?: LifeId;
  /** Which lives sent the records, oldest first. */
  readonly senders?: readonly Sender[];
  /** The lineage whose positions the rows speak of. */
  readonly lineage?: LineageId;
  /**
   * When replication was ended for good. The row stays for the volume's history; it counts as
   * member of no group.
   */
  readonly retired?: Retired;
  /**
   * Set while the rest of a retired volume is being removed: no point names it any more, and its
   * journal may be gone in part.
   */
  readonly forgetting?: true;
}

/** A retired appliance or splitter. One that is in use has no row. */
export type ProcessRow = { readonly retired: Retired } & (
  | { readonly role: 'appliance'; readonly id: ApplianceId }
  | { readonly role: 'splitter'; readonly id: SplitterId }
);

export interface AttemptRow {
  readonly record: AttemptRecord;
  /**
   * Orders the attempt among all. Absent if it may be opened by a call without a floor: such a row
   * is never forgotten.
   */
  readonly ticket?: number;
  /** When a round first found that nothing needs the attempt, by the clock of ages. */
  readonly idleSinceMs?: number;
}

export interface PointRow {
  readonly point: RecoveryPoint;
  /** Set while a running move needs the point. */
  readonly pinnedBy?: AttemptRef;
  /** Positions of provisional members in the splitter's own numbering, by volume. */
  readonly provisionalMarks: Readonly<Record<string, WriteMark>>;
}

export interface OwnerRow {
  readonly owner: Ownership;
}

export interface HoleRow {
  readonly hole: Hole;
}

/** The highest number of an attempt of a move that was opened, or resolved before it was. */
export interface MoveRow {
  readonly highestN: number;
}

export interface CounterRow {
  readonly next: number;
}

/** What the core asks the journals. Each answer is about records that are durable here. */
export interface Lineages {
  /** The newest durable record; position 0, session 0 and n 0 before the first. */
  durable(volume: VolumeId): {
    readonly position: number;
    readonly session: number;
    readonly n: number;
    readonly timeMs: number;
  };
  /**
   * The last position up to the given one whose record is not lost. New records follow `durable`
   * all the same: no position is given twice.
   */
  soundPosition(volume: VolumeId, position: number): number;
  /** The identity of the history in the volume's journal. */
  lineage(volume: VolumeId): LineageId;
  /** The position up to which the replica volume has everything. */
  appliedPosition(volume: VolumeId): number;
  undistributedBytes(volume: VolumeId): number;
  /** Position before the session's first record; undefined while the session has none. */
  sessionBase(volume: VolumeId, session: number): number | undefined;
}

/** The id of a point, made from its number. */
export function pointIdOf(number: number): PointId {
  return pointIdSchema.parse(`p${String(number).padStart(9, '0')}`);
}
