// The simulation's appliance: the real core's memberships and schedule of points. A crash loses
// what it knew; that a group is paused is stored.
import type { GroupId, VolumeId } from '../../contracts/ids.js';
import { Membership } from '../../simulator/appliance/core/membership.js';
import { PointSchedule } from '../../simulator/appliance/core/point-schedule.js';

/** Interval of a group's points, in ms. */
export const POINT_EVERY_MS = 150;

export class ApplianceHost {
  readonly groups: readonly GroupId[];
  up = true;
  members = new Membership();
  schedule: PointSchedule;
  /** Groups that a person has paused. */
  readonly paused = new Set<GroupId>();
  /** Volumes whose owner the replica site is asked for. */
  readonly wanted = new Set<VolumeId>();
  /** Whether all memberships are to be asked for: after a start. */
  wantsEverything = true;
  /** The end of each group's newest round: the next one starts after it. */
  readonly #last = new Map<GroupId, Promise<unknown>>();

  constructor(groups: readonly GroupId[], nowMs: number) {
    this.groups = groups;
    this.schedule = this.#newSchedule(nowMs);
  }

  #newSchedule(nowMs: number): PointSchedule {
    return new PointSchedule(
      this.groups.map((group) => ({ group, everyMs: POINT_EVERY_MS })),
      nowMs,
    );
  }

  crash(): void {
    this.up = false;
    this.members = new Membership();
    this.wanted.clear();
    this.wantsEverything = true;
    this.#last.clear();
  }

  restart(nowMs: number): void {
    this.up = true;
    this.schedule = this.#newSchedule(nowMs);
  }

  /** Runs a group's rounds one after another. */
  async round<T>(group: GroupId, run: () => Promise<T>): Promise<T> {
    const round = (this.#last.get(group) ?? Promise.resolve()).then(run);
    this.#last.set(
      group,
      round.then(
        () => undefined,
        () => undefined,
      ),
    );
    return await round;
  }
}
