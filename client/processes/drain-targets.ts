// What stands against the groups that an appliance is drained into. A pure function of the groups
// and of what a person named.
import type { ErrorCode, Reason } from '../../contracts/errors.js';
import type { GroupId } from '../../contracts/ids.js';
import type { SiteGroup } from '../../contracts/replica-site-api.js';
import { counted } from '../text/format.js';

/** Groups with room that a refusal names. */
const TARGETS_SHOWN_MAX = 10;

/**
 * Every reason against the targets.
 * @param all the groups of the replica site
 * @param served those of the appliance
 * @param targets the target of each served group, if one is given
 * @param map what a person gave: it may name groups that the appliance does not serve
 */
export function* againstTargets(
  all: readonly SiteGroup[],
  served: readonly SiteGroup[],
  targets: ReadonlyMap<GroupId, GroupId | undefined>,
  map: Readonly<Record<string, GroupId>>,
): Generator<Reason, void> {
  const isServed = (id: string): boolean => served.some(({ group }) => group === id);
  const reasonOf = (code: ErrorCode, subject: string, message: string): Reason => ({ code, subject, message });
  for (const name of Object.keys(map))
    if (!isServed(name)) yield reasonOf('INVALID_REQUEST', name, `it does not serve group "${name}"`);
  const wanted = new Map<GroupId, number>();
  for (const { group, volumes } of served) {
    if (volumes === 0) continue;
    const target = targets.get(group);
    if (target === undefined) {
      const room = all
        .filter((other) => !isServed(other.group) && other.retired === undefined && roomOf(other) >= volumes)
        .map((other) => other.group)
        .slice(0, TARGETS_SHOWN_MAX);
      const which =
        room.length === 0 ? 'no group of another appliance has room' : `these have room: ${room.join(', ')}`;
      const message = `group "${group}" with ${counted(volumes, 'volume')} needs a target, by --to or --map ${group}=…; ${which}`;
      yield reasonOf('INVALID_REQUEST', group, message);
    } else wanted.set(target, (wanted.get(target) ?? 0) + volumes);
  }
  for (const [target, volumes] of wanted) {
    const found = all.find(({ group }) => group === target);
    if (found === undefined) yield reasonOf('GROUP_NOT_FOUND', target, `there is no consistency group "${target}"`);
    else if (found.retired !== undefined) yield reasonOf('GROUP_RETIRED', target, `group "${target}" is retired`);
    else if (isServed(target))
      yield reasonOf('INVALID_REQUEST', target, `group "${target}" is served by the same appliance`);
    else if (roomOf(found) < volumes)
      yield reasonOf(
        'GROUP_FULL',
        target,
        `group "${target}" has room for ${roomOf(found)} more, and ${counted(volumes, 'volume')} would move to it`,
      );
  }
}

function roomOf({ volumesMax, volumes, reserved }: SiteGroup): number {
  return Math.max(0, volumesMax - volumes - reserved);
}
