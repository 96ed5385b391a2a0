// The tables of the replica site, with the look-ups that rules need. Rules are functions over it;
// the shell makes each call one transaction.
import type { AttemptRecord, AttemptRef } from '../../../contracts/attempt.js';
import { attemptName } from '../../../contracts/attempt.js';
import { MoverError } from '../../../contracts/errors.js';
import type { GroupId, PointId, VolumeId } from '../../../contracts/ids.js';
import type { Hole, Ownership, PointMember, RecoveryPoint } from '../../../contracts/point.js';
import type {
  AttemptRow,
  CounterRow,
  GroupRow,
  HoleRow,
  Lineages,
  MoveRow,
  OwnerRow,
  PointRow,
  ProcessRow,
  VolumeRow,
} from './rows.js';
import type { Index } from './index-of-table.js';
import { SharedMembers } from './shared-members.js';
import { Table, type RowChange } from './table.js';
import type { Life } from './terms.js';

export const TABLE_NAMES = [
  'groups',
  'volumes',
  'attempts',
  'moves',
  'points',
  'holes',
  'owners',
  'counters',
  'processes',
] as const;

export type TableName = (typeof TABLE_NAMES)[number];

export interface SiteRows {
  readonly groups: Iterable<readonly [string, GroupRow]>;
  readonly volumes: Iterable<readonly [string, VolumeRow]>;
  readonly attempts: Iterable<readonly [string, AttemptRow]>;
  readonly moves: Iterable<readonly [string, MoveRow]>;
  readonly points: Iterable<readonly [string, PointRow]>;
  readonly holes: Iterable<readonly [string, HoleRow]>;
  readonly owners: Iterable<readonly [string, OwnerRow]>;
  readonly counters: Iterable<readonly [string, CounterRow]>;
  readonly processes: Iterable<readonly [string, ProcessRow]>;
  /**
   * Keys of stored rows that can't be read, by table, each with a sentence about what is left out.
   */
  readonly unreadable?: ReadonlyMap<TableName, ReadonlyMap<string, string>>;
}

export const EMPTY_SITE: SiteRows = {
  groups: [],
  volumes: [],
  attempts: [],
  moves: [],
  points: [],
  holes: [],
  owners: [],
  counters: [],
  processes: [],
};

/** The row of the counters' table that stores the clock of ages. */
const AGE_COUNTER = 'age';
/** The row of the counters' table that stores up to which ticket attempts were forgotten. */
const FORGOTTEN_COUNTER = 'forgotten';
/** Name of the only group of an index. */
const ALL = '';

/** The key of the row of an appliance or splitter: one may have the id of the other. */
export function processKey(role: ProcessRow['role'], id: string): string {
  return `${role}/${id}`;
}

export class SiteState {
  readonly lineages: Lineages;
  readonly groups: Table<GroupRow>;
  readonly volumes: Table<VolumeRow>;
  readonly attempts: Table<AttemptRow>;
  readonly moves: Table<MoveRow>;
  readonly points: Table<PointRow>;
  readonly holes: Table<HoleRow>;
  readonly owners: Table<OwnerRow>;
  readonly counters: Table<CounterRow>;
  readonly processes: Table<ProcessRow>;
  readonly #volumesByGroup: Index<VolumeRow>;
  readonly #volumesByVm: Index<VolumeRow>;
  readonly #initializing: Index<VolumeRow>;
  readonly #volumesByOpenAttempt: Index<VolumeRow>;
  readonly #unjoinedByOwned: Index<AttemptRow>;
  readonly #decidedAttempts: Index<AttemptRow>;
  readonly #waysBackByOwned: Index<AttemptRow>;
  readonly #unendedWaysBack: Index<AttemptRow>;
  readonly #pointsByGroup: Index<PointRow>;
  readonly #bookmarksByGroup: Index<PointRow>;
  readonly #pointsByMarkedVolume: Index<PointRow>;
  readonly #pointsByAttempt: Index<PointRow>;
  readonly #holesByVolume: Index<HoleRow>;
  readonly #ownersByVolume: Index<OwnerRow>;
  readonly #ownersByGroup: Index<OwnerRow>;
  readonly #sharedMembers = new SharedMembers();
  readonly #tables: readonly Pick<Table<object>, 'isChanged' | 'changes' | 'settle' | 'undo' | 'unreadable'>[];
  /**
   * Volumes that a splitter has attached in this life of the site: what it knew better is taken
   * over.
   */
  readonly acquainted = new Set<VolumeId>();
  /** The highest position named by points of earlier lives, by volume. */
  readonly #named = new Map<VolumeId, number>();
  /**
   * The newest accepted record of each volume, durable or not. It counts while its session is the
   * present one.
   */
  readonly #accepted = new Map<VolumeId, { session: number; n: number }>();
  #life: Life = { number: 0, beganAtMs: 0 };

  constructor(rows: SiteRows, lineages: Lineages) {
    this.lineages = lineages;
    this.groups = new Table('groups', rows.groups, rows.unreadable?.get('groups'));
    this.volumes = new Table('volumes', rows.volumes, rows.unreadable?.get('volumes'));
    this.attempts = new Table('attempts', rows.attempts, rows.unreadable?.get('attempts'));
    this.moves = new Table('moves', rows.moves, rows.unreadable?.get('moves'));
    this.points = new Table('points', this.#withSharedMembers(rows.points), rows.unreadable?.get('points'));
    this.holes = new Table('holes', rows.holes, rows.unreadable?.get('holes'));
    this.owners = new Table('owners', rows.owners, rows.unreadable?.get('owners'));
    this.counters = new Table('counters', rows.counters, rows.unreadable?.get('counters'));
    this.processes = new Table('processes', rows.processes, rows.unreadable?.get('processes'));
    const { groups, volumes, attempts, moves, points, holes, owners, counters, processes } = this;
    this.#tables = [groups, volumes, attempts, moves, points, holes, owners, counters, processes];
    this.volumes.keepOrder();
    this.groups.keepOrder();
    this.#volumesByGroup = this.volumes.indexBy((row) => (row.retired === undefined ? [row.group] : []));
    this.#volumesByVm = this.volumes.indexBy(({ vm, retired }) =>
      vm === undefined || retired !== undefined ? [] : [vm],
    );
    this.#initializing = this.volumes.indexBy(({ openHole, retired }) =>
      openHole === undefined || retired !== undefined ? [] : [ALL],
    );
    this.#volumesByOpenAttempt = this.volumes.indexBy((row) =>
      row.openAttempt === undefined ? [] : [attemptName(row.openAttempt)],
    );
    this.#unjoinedByOwned = this.attempts.indexBy(({ record }) => {
      const first =
        record.state === 'COMMITTED' && record.joined === undefined ? record.contents?.volumes[0] : undefined;
      return first === undefined ? [] : [ownedName(first.volume, first.epoch + 1)];
    });
    this.#decidedAttempts = this.attempts.indexBy(({ record, ticket }) =>
      record.state === 'OPEN' || ticket === undefined ? [] : [ALL],
    );
    this.#waysBackByOwned = this.attempts.indexBy(({ record: { contents, wayBack } }) =>
      wayBack === undefined ? [] : (contents?.volumes ?? []).map(({ volume, epoch }) => ownedName(volume, epoch + 1)),
    );
    this.#unendedWaysBack = this.attempts.indexBy(({ record: { contents, wayBack } }) =>
      wayBack === undefined || wayBack.ended !== undefined || contents === undefined ? [] : [contents.from],
    );
    this.#pointsByGroup = this.points.indexBy((row) => [row.point.group]);
    this.#bookmarksByGroup = this.points.indexBy(({ point }) => (point.bookmark === undefined ? [] : [point.group]));
    this.#pointsByMarkedVolume = this.points.indexBy((row) => Object.keys(row.provisionalMarks));
    this.#pointsByAttempt = this.points.indexBy(({ point }) =>
      point.members.flatMap(({ provisional }) => (provisional === undefined ? [] : [attemptName(provisional)])),
    );
    this.#holesByVolume = this.holes.indexBy((row) => [row.hole.volume]);
    this.#ownersByVolume = this.owners.indexBy((row) => [row.owner.volume]);
    this.#ownersByGroup = this.owners.indexBy((row) => [row.owner.group]);
    for (const { point } of this.points.values())
      for (const { volume, position, provisional } of point.members)
        if (provisional === undefined) this.#named.set(volume, Math.max(position, this.#named.get(volume) ?? 0));
  }

  /**
   * Rows that rules changed since the last `settle` or `undo`: the shell stores them in one
   * transaction.
   */
  changes(): RowChange[] {
    const changes: RowChange[] = [];
    for (const table of this.#tables) if (table.isChanged) changes.push(...table.changes());
    return changes;
  }

  /** Makes the changes final, once they are stored. */
  settle(): void {
    for (const table of this.#tables) table.settle();
  }

  /** Takes the changes back, when they could not be stored. */
  undo(): void {
    for (const table of this.#tables) table.undo();
  }

  /** Sentences about what is left out because of unreadable rows. */
  get unreadable(): string[] {
    return this.#tables.flatMap((table) => [...table.unreadable.values()]);
  }

  /** @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE */
  volume(id: VolumeId): VolumeRow {
    const row = this.volumes.get(id);
    const unreadable = this.volumes.unreadable.get(id);
    if (unreadable !== undefined) throw new MoverError('VOLUME_UNUSABLE', unreadable);
    if (row === undefined) throw new MoverError('VOLUME_NOT_FOUND', `There is no volume "${id}" at the replica site.`);
    return row;
  }

  /** @throws MoverError GROUP_NOT_FOUND, CORRUPT */
  group(id: GroupId): GroupRow {
    this.groups.refuseUnreadable(id);
    const row = this.groups.get(id);
    if (row === undefined)
      throw new MoverError('GROUP_NOT_FOUND', `There is no consistency group "${id}" at the replica site.`);
    return row;
  }

  /** @throws MoverError POINT_NOT_FOUND, CORRUPT */
  point(id: PointId): PointRow {
    this.points.refuseUnreadable(id);
    const row = this.points.get(id);
    if (row === undefined) throw new MoverError('POINT_NOT_FOUND', `There is no recovery point "${id}".`);
    return row;
  }

  /**
   * The record of an attempt; undefined if nobody opened it.
   * @throws MoverError CORRUPT if its record can't be read: it may have been opened
   */
  attempt(ref: AttemptRef): AttemptRecord | undefined {
    this.attempts.refuseUnreadable(attemptName(ref));
    return this.attempts.get(attemptName(ref))?.record;
  }

  /** @param ticket makes the attempt one that may be forgotten, once it is over */
  putAttempt(record: AttemptRecord, ticket?: number): AttemptRecord {
    const name = attemptName(record.attempt);
    const row = { ...this.attempts.get(name), record };
    this.attempts.put(name, ticket === undefined ? row : { ...row, ticket });
    return record;
  }

  /** The next ticket. */
  get nextTicket(): number {
    this.counters.refuseUnreadable('tickets');
    return this.counters.get('tickets')?.next ?? 1;
  }

  /** Every forgotten attempt has a lower ticket than this; undefined if that can't be read. */
  get forgottenBelow(): number | undefined {
    if (this.counters.unreadable.has(FORGOTTEN_COUNTER)) return undefined;
    return this.counters.get(FORGOTTEN_COUNTER)?.next ?? 1;
  }

  /** @throws MoverError CORRUPT if it can't be read which attempts were forgotten */
  refuseForgottenUnknown(): void {
    this.counters.refuseUnreadable(FORGOTTEN_COUNTER);
  }

  /**
   * Forgets an attempt that has a ticket.
   * @throws MoverError CORRUPT
   */
  forgetAttempt({ record: { attempt }, ticket }: AttemptRow & { readonly ticket: number }): void {
    this.refuseForgottenUnknown();
    if (ticket >= (this.forgottenBelow ?? 1)) this.counters.put(FORGOTTEN_COUNTER, { next: ticket + 1 });
    this.attempts.delete(attemptName(attempt));
    // A late call of another attempt of the move has no higher floor than this one's ticket.
    if (this.moves.get(attempt.move)?.highestN === attempt.n) this.moves.delete(attempt.move);
  }

  /** Whether a person retired the appliance or splitter. */
  isRetired(role: ProcessRow['role'], id: string): boolean {
    return this.processes.get(processKey(role, id)) !== undefined;
  }

  /** Brings a retired appliance or splitter back. */
  bringBack(role: ProcessRow['role'], id: string): void {
    this.processes.delete(processKey(role, id));
  }

  /** The present life of the process: leases and the like are measured in it. */
  get life(): Life {
    return this.#life;
  }

  /** Begins the life. Call it once, before any rule that measures time. */
  beginLife(life: Life): void {
    this.#life = life;
  }

  /** The stored time of the clock of ages; undefined if it was never stored. */
  get storedAgeMs(): number | undefined {
    return this.counters.get(AGE_COUNTER)?.next;
  }

  /**
   * Stores the clock of ages. An unreadable row stays: the newest point has the clock's time too,
   * and nothing else needs the row.
   */
  storeAge(ageMs: number): void {
    if (this.counters.unreadable.has(AGE_COUNTER)) return;
    this.counters.put(AGE_COUNTER, { next: ageMs });
  }

  /**
   * Takes the next number of a counter, from 1 on.
   * @throws MoverError CORRUPT
   */
  take(counter: 'tickets' | 'points'): number {
    this.counters.refuseUnreadable(counter);
    const next = this.counters.get(counter)?.next ?? 1;
    this.counters.put(counter, { next: next + 1 });
    return next;
  }

  /** The volumes that the group owns: retired ones belong to none. */
  membersOf(group: GroupId): VolumeRow[] {
    return [...this.#volumesByGroup.of(group).values()];
  }

  /** The volumes of a virtual machine. */
  disksOf(vm: string): VolumeRow[] {
    return [...this.#volumesByVm.of(vm).values()];
  }

  /** A new point's members, shared with the points before it. */
  sharedMembers(point: Pick<RecoveryPoint, 'group' | 'members'>): PointMember[] {
    return this.#sharedMembers.of(point);
  }

  *#withSharedMembers(rows: SiteRows['points']): Generator<readonly [string, PointRow]> {
    for (const [key, row] of rows)
      yield [key, { ...row, point: { ...row.point, members: this.#sharedMembers.of(row.point) } }];
  }

  /** Volumes with ids after the given one, ordered by id; all of them without it. */
  volumesAfter(volume?: string): Iterable<VolumeRow> {
    return this.volumes.after(volume);
  }

  /** Groups with ids after the given one, ordered by id; all of them without it. */
  groupsAfter(group?: string): Iterable<GroupRow> {
    return this.groups.after(group);
  }

  memberCount(group: GroupId): number {
    return this.#volumesByGroup.of(group).size;
  }

  /** Open attempts by name, with how many volumes each has. */
  openAttempts(): { readonly name: string; readonly volumes: number }[] {
    return [...this.#volumesByOpenAttempt.names()].map((name) => ({
      name,
      volumes: this.#volumesByOpenAttempt.of(name).size,
    }));
  }

  /** Names of the decided attempts that may be forgotten once nothing needs them. */
  decidedAttempts(): string[] {
    return [...this.#decidedAttempts.of(ALL).keys()];
  }

  /**
   * Committed attempts without a "joined" bookmark that the members came by. One whose volumes were
   * moved again is not among them: such an attempt never joins.
   */
  unjoinedAttempts(members: readonly PointMember[]): AttemptRecord[] {
    return members.flatMap(({ volume, epoch }) =>
      [...this.#unjoinedByOwned.of(ownedName(volume, epoch)).values()].map(({ record }) => record),
    );
  }

  /** The committed attempt with a way back that gave the volume this epoch. */
  wayBackFrom(volume: VolumeId, epoch: number): AttemptRecord | undefined {
    for (const { record } of this.#waysBackByOwned.of(ownedName(volume, epoch)).values()) return record;
    return undefined;
  }

  /**
   * Committed attempts whose way back to the group has not been noted as ended, though its time may
   * be over; without a group, all of them.
   */
  unendedWaysBack(to?: GroupId): AttemptRecord[] {
    const groups = to === undefined ? [...this.#unendedWaysBack.names()] : [to];
    return groups.flatMap((group) => [...this.#unendedWaysBack.of(group).values()].map(({ record }) => record));
  }

  pointsOfGroup(group: GroupId): PointRow[] {
    return [...this.#pointsByGroup.of(group).values()];
  }

  pointCount(group: GroupId): number {
    return this.#pointsByGroup.of(group).size;
  }

  /** How many points of the group have a bookmark. */
  bookmarkCount(group: GroupId): number {
    return this.#bookmarksByGroup.of(group).size;
  }

  /** How many volumes are in short initialization. */
  get initializingCount(): number {
    return this.#initializing.of(ALL).size;
  }

  /** Points with the volume as a provisional member whose mark is not settled. */
  pointsMarking(volume: VolumeId): PointRow[] {
    return [...this.#pointsByMarkedVolume.of(volume).values()];
  }

  /** Points with provisional members that wait for the verdict on the attempt. */
  pointsAwaiting(attempt: AttemptRef): PointRow[] {
    return [...this.#pointsByAttempt.of(attemptName(attempt)).values()];
  }

  holesOf(volume: VolumeId): Hole[] {
    return [...this.#holesByVolume.of(volume).values()].map((row) => row.hole);
  }

  /** Spans of ownership of the volume, oldest first. */
  ownersOf(volume: VolumeId): Ownership[] {
    // Sorted by epoch, not by time: a clock may have been set back before a commit.
    return [...this.#ownersByVolume.of(volume).values()].map((row) => row.owner).toSorted((a, b) => a.epoch - b.epoch);
  }

  /** Spans of ownership of the group, oldest first. */
  ownedBy(group: GroupId): Ownership[] {
    return [...this.#ownersByGroup.of(group).values()]
      .map((row) => row.owner)
      .toSorted((a, b) => a.fromMs - b.fromMs || a.epoch - b.epoch);
  }

  /** Notes a record as accepted: the volume's next record must follow it. */
  accept(volume: VolumeId, session: number, n: number): void {
    const accepted = this.#accepted.get(volume);
    if (accepted === undefined) this.#accepted.set(volume, { session, n });
    else Object.assign(accepted, { session, n });
  }

  /**
   * The highest position named by points of earlier lives: the volume's history went at least so
   * far.
   */
  namedPosition(volume: VolumeId): number {
    return this.#named.get(volume) ?? 0;
  }

  /** Notes that no point names a later position any more. */
  limitNamed(volume: VolumeId, position: number): void {
    if (this.namedPosition(volume) > position) this.#named.set(volume, position);
  }

  /**
   * Forgets accepted records that are not durable: the volume continues after its last durable
   * record.
   */
  forgetAccepted(volume: VolumeId): void {
    this.#accepted.delete(volume);
  }

  /** Lets go of what is known beside the rows of a volume that is forgotten. */
  forgetVolume(volume: VolumeId): void {
    this.#named.delete(volume);
    this.#accepted.delete(volume);
    this.acquainted.delete(volume);
  }

  /** The newest accepted number of the volume's present session. */
  acceptedN(row: VolumeRow): number {
    const accepted = this.#accepted.get(row.volume);
    if (accepted?.session === row.session) return accepted.n;
    const durable = this.lineages.durable(row.volume);
    return durable.session === row.session ? durable.n : 0;
  }

  /**
   * Position of a write, given in the splitter's numbering; undefined if its session never attached
   * here. A session that has attached but sent nothing begins where the lineage ends.
   */
  positionOf(row: VolumeRow, mark: { readonly session: number; readonly n: number }): number | undefined {
    const base = this.lineages.sessionBase(row.volume, mark.session);
    if (base !== undefined) return base + mark.n;
    return mark.session === row.session ? this.lineages.durable(row.volume).position + mark.n : undefined;
  }

  /** Whether a position lies in a hole: a span of which only the end can be recovered. */
  inHole(volume: VolumeId, position: number): boolean {
    // The key of an unreadable hole says where it begins; only its row would say where it ends.
    for (const key of this.holes.unreadable.keys())
      if (key.startsWith(`${volume}:`) && position >= Number(key.slice(volume.length + 1))) return true;
    for (const { hole } of this.#holesByVolume.of(volume).values()) {
      if (position >= hole.fromPosition && (hole.toPosition === undefined || position < hole.toPosition)) return true;
    }
    return false;
  }
}

/** Names a volume as an attempt found or left it. */
function ownedName(volume: VolumeId, epoch: number): string {
  return `${volume}:${epoch}`;
}
