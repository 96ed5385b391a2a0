// How old the newest state is to which a group can be recovered: its RPO now. It is known without a
// walk over points: of each group, the time of its newest point, and earlier times for the members
// that this point leaves out.
import type { GroupId, VolumeId } from '../../contracts/ids.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import { agedFromMs } from './core/policy.js';
import { rpoMsMaxOf } from './core/rpo.js';
import type { SiteState } from './core/state.js';
import type { Site } from './site.js';

/** Most groups that are named in health; the others are counted. */
const NAMED_MAX = 10;
/** Most volumes named in one sentence; the others are counted. */
const NAMED_VOLUMES_MAX = 5;
const SECOND_MS = 1_000;

/** Times are those of the clock of ages. */
interface Known {
  /** The newest point. */
  readonly newestMs: number;
  /** Members that it leaves out, each with the time of the last point before. */
  readonly behind: ReadonlyMap<VolumeId, number>;
}

/** A group that can be recovered to a state that is older than it may be. */
interface Exceeding {
  readonly group: GroupId;
  readonly rpoMs: number;
  readonly rpoMsMax: number;
}

export class RecoveryAges {
  readonly #site: Pick<Site, 'state' | 'now'>;
  /** Groups without a point count from here. */
  readonly #sinceMs: number;
  readonly #known = new Map<GroupId, Known>();

  /** Takes in the points of earlier lives. */
  constructor(site: Pick<Site, 'state' | 'now'>) {
    this.#site = site;
    this.#sinceMs = site.now.ageMs;
    for (const { group } of site.state.groups.values()) {
      const known = newestOf(site.state, group);
      if (known !== undefined) this.#known.set(group, known);
    }
  }

  /** Takes in a point that was closed. */
  closed(point: RecoveryPoint): void {
    const before = this.#known.get(point.group);
    const lastMs = before?.newestMs ?? this.#sinceMs;
    const behind = behindOf(this.#site.state, point, lastMs, before?.behind);
    this.#known.set(point.group, { newestMs: agedFromMs(point), behind });
  }

  /**
   * Age of the newest state that has every member of the group, milliseconds. Undefined for a group
   * without volumes.
   */
  rpoMs(group: GroupId, ageMs: number): number | undefined {
    if (this.#site.state.memberCount(group) === 0) {
      // Its first volume is not to blame for the time without any.
      this.#known.set(group, { newestMs: ageMs, behind: new Map() });
      return undefined;
    }
    const known = this.#known.get(group);
    if (known === undefined) return ageMs - this.#sinceMs;
    return Math.max(0, ageMs - Math.min(known.newestMs, ...known.behind.values()));
  }

  /** How many members the group's newest point leaves out. */
  leftOut(group: GroupId): number {
    return this.#known.get(group)?.behind.size ?? 0;
  }

  /** Sentences about groups whose RPO is above what they may have. */
  get notes(): string[] {
    const exceeding = [...this.#exceeding()];
    const named = exceeding.slice(0, NAMED_MAX).map((one) => this.#sentence(one));
    const others = exceeding.length - named.length;
    return others === 0 ? named : [...named, `${others} more groups can't be recovered to a state that is new enough.`];
  }

  *#exceeding(): Generator<Exceeding> {
    const { state, now } = this.#site;
    for (const row of state.groups.values()) {
      const rpoMs = this.rpoMs(row.group, now.ageMs);
      const rpoMsMax = rpoMsMaxOf(row);
      if (rpoMs !== undefined && rpoMs > rpoMsMax) yield { group: row.group, rpoMs, rpoMsMax };
    }
  }

  #sentence({ group, rpoMs, rpoMsMax }: Exceeding): string {
    const behind = [...(this.#known.get(group)?.behind.keys() ?? [])];
    const named = behind.slice(0, NAMED_VOLUMES_MAX).map((volume) => `"${volume}"`);
    const others = behind.length - named.length;
    const which =
      behind.length === 0
        ? ''
        : ` Its newest point leaves out ${named.join(', ')}${others === 0 ? '' : ` and ${others} more`}.`;
    return `Group "${group}" can only be recovered as it was ${Math.floor(rpoMs / SECOND_MS)} s ago; its RPO is ${Math.floor(rpoMsMax / SECOND_MS)} s.${which} Earlier points are kept, and guests go on. Find out why: volume-mover groups, and the health of its appliance and splitters.`;
  }
}

/** What stored points tell of a group. */
function newestOf(state: SiteState, group: GroupId): Known | undefined {
  let newest: RecoveryPoint | undefined;
  for (const { point } of state.pointsOfGroup(group))
    if (newest === undefined || agedFromMs(point) > agedFromMs(newest)) newest = point;
  if (newest === undefined) return undefined;
  const newestMs = agedFromMs(newest);
  return { newestMs, behind: behindOf(state, newest, newestMs) };
}

/**
 * The members that a point leaves out, each with the time of the newest point that has it. One that
 * no point has counts from `lastMs`: a new volume is not as far behind as its group is old.
 * @param known the times of those that the point before has left out
 */
function behindOf(
  state: SiteState,
  { group, leftOut }: RecoveryPoint,
  lastMs: number,
  known: ReadonlyMap<VolumeId, number> = new Map(),
): ReadonlyMap<VolumeId, number> {
  const behind = new Map<VolumeId, number>();
  let points: readonly RecoveryPoint[] | undefined;
  for (const { volume, reason } of leftOut) {
    if (reason === 'moved') continue;
    const has = ({ members }: RecoveryPoint): boolean => members.some((member) => member.volume === volume);
    // Nearly always the point before has it. It is looked for, as damage may have struck it there.
    const sinceMs = known.get(volume);
    if (sinceMs === undefined) points ??= state.pointsOfGroup(group).map((row) => row.point);
    const found = sinceMs === undefined ? points?.findLast(has) : undefined;
    behind.set(volume, sinceMs ?? (found === undefined ? lastMs : agedFromMs(found)));
  }
  return behind;
}
