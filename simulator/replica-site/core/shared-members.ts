// One copy of what points have in common: a group keeps tens of thousands of points, each names
// every member, and most members did not change since the point before.
import type { GroupId, VolumeId } from '../../../contracts/ids.js';
import type { PointMember, RecoveryPoint } from '../../../contracts/point.js';

export class SharedMembers {
  /** The newest member of each volume. */
  readonly #newest = new Map<VolumeId, PointMember>();
  /** The members of each group's newest point. */
  readonly #lists = new Map<GroupId, PointMember[]>();

  /**
   * Equal members, as the objects that earlier points have already; the list of the group's newest
   * point, if all are equal. Never change them.
   */
  of({ group, members }: Pick<RecoveryPoint, 'group' | 'members'>): PointMember[] {
    const shared = members.map((member) => this.#shared(member));
    const before = this.#lists.get(group);
    if (before?.length === shared.length && before.every((member, i) => member === shared[i])) return before;
    this.#lists.set(group, shared);
    return shared;
  }

  #shared(member: PointMember): PointMember {
    // A verdict soon settles a provisional member, and replaces it by another object.
    if (member.provisional !== undefined) return member;
    const { position, epoch } = member;
    const before = this.#newest.get(member.volume);
    if (before !== undefined && before.position === position && before.epoch === epoch) return before;
    // Each row that was read from the store has its own copy of the name.
    const newest = { volume: before?.volume ?? member.volume, position, epoch };
    this.#newest.set(newest.volume, newest);
    return newest;
  }
}
