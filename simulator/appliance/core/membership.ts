// Which volumes belong to which group, as far as this appliance knows: decides which splitters a
// recovery point's cut is asked of.
import type { GroupId, VolumeId } from '../../../contracts/ids.js';
import type { RecoveryPoint } from '../../../contracts/point.js';

export interface Ownership {
  readonly volume: VolumeId;
  readonly group: GroupId;
  readonly epoch: number;
  /** Set once the volume's replication was ended for good. */
  readonly retired?: unknown;
}

const NO_VOLUMES: ReadonlySet<VolumeId> = new Set();

export class Membership {
  readonly #owners = new Map<VolumeId, Ownership>();
  readonly #members = new Map<GroupId, Set<VolumeId>>();

  /** The group that owns the volume, at the newest epoch known. */
  ownerOf(volume: VolumeId): Ownership | undefined {
    return this.#owners.get(volume);
  }

  membersOf(group: GroupId): ReadonlySet<VolumeId> {
    return this.#members.get(group) ?? NO_VOLUMES;
  }

  /**
   * Takes the replica site's answer about one volume. An epoch has one owner for ever, so only a
   * newer epoch changes anything; and a retired volume is in no group.
   */
  learn(ownership: Ownership): void {
    if (ownership.retired !== undefined) {
      this.#forget(ownership.volume);
      return;
    }
    const known = this.#owners.get(ownership.volume);
    if (known !== undefined && known.epoch >= ownership.epoch) return;
    this.#forget(ownership.volume);
    this.#owners.set(ownership.volume, ownership);
    const members = this.#members.get(ownership.group) ?? new Set();
    this.#members.set(ownership.group, members.add(ownership.volume));
  }

  /** Takes the replica site's list of all members of a group. */
  learnGroup(group: GroupId, members: readonly Ownership[]): void {
    const named = new Set(members.map((member) => member.volume));
    for (const volume of this.membersOf(group)) if (!named.has(volume)) this.#forget(volume);
    for (const member of members) this.learn(member);
  }

  /**
   * Takes the memberships that a point shows: it names every volume of its group, contained or left
   * out.
   * @returns volumes named by the point but not known as members
   */
  learnPoint(point: RecoveryPoint): VolumeId[] {
    const named = new Set<VolumeId>();
    for (const { volume, epoch } of point.members) {
      named.add(volume);
      this.learn({ volume, group: point.group, epoch });
    }
    for (const { volume, reason } of point.leftOut) if (reason !== 'moved') named.add(volume);
    for (const volume of this.membersOf(point.group)) if (!named.has(volume)) this.#forget(volume);
    return [...named].filter((volume) => this.#owners.get(volume)?.group !== point.group);
  }

  #forget(volume: VolumeId): void {
    const known = this.#owners.get(volume);
    if (known === undefined) return;
    this.#owners.delete(volume);
    this.#members.get(known.group)?.delete(volume);
  }
}
