// Where an appliance may be drained to: each group with volumes has a target at another appliance,
// and all that go to one target have room there together.
import { expect, test } from 'vitest';
import { againstTargets } from '../../client/processes/drain-targets.js';
import { applianceIdSchema, type GroupId, groupIdSchema } from '../../contracts/ids.js';
import type { SiteGroup } from '../../contracts/replica-site-api.js';
import { retentionPolicySchema } from '../../contracts/retention.js';

const id = (name: string): GroupId => groupIdSchema.parse(name);

function groupOf(name: string, appliance: string, volumes: number, changes: Partial<SiteGroup> = {}): SiteGroup {
  return {
    group: id(name),
    appliance: applianceIdSchema.parse(appliance),
    pointEveryMs: 5_000,
    volumesMax: 10,
    retention: retentionPolicySchema.parse({}),
    volumes,
    reserved: 0,
    journal: { bytes: 0, pointsDropped: 0 },
    ...changes,
  };
}

const GOLD = groupOf('gold', 'a1', 3);
const BRONZE = groupOf('bronze', 'a1', 2);
const EMPTY = groupOf('empty', 'a1', 0);
const SILVER = groupOf('silver', 'a2', 4, { reserved: 1 });
const FULL = groupOf('full', 'a2', 9);
const GONE = groupOf('gone', 'a2', 0, { retired: { atMs: 1 } });
const ALL = [GOLD, BRONZE, EMPTY, SILVER, FULL, GONE];
const SERVED = [GOLD, BRONZE, EMPTY];

/** The reasons against a map, with the target of all others. */
function reasonsOf(map: Readonly<Record<string, string>>, to?: string, all = ALL): string[] {
  const given = Object.fromEntries(Object.entries(map).map(([from, target]) => [from, id(target)]));
  const targets = new Map(
    SERVED.map(({ group }) => [group, given[group] ?? (to === undefined ? undefined : id(to))] as const),
  );
  return [...againstTargets(all, SERVED, targets, given)].map(({ code, message }) => `${code}: ${message}`);
}

test('all that go to one group have room there, those that are on their way to it counted', () => {
  expect(reasonsOf({}, 'silver')).toEqual([]);
  const crowded = ALL.map((group) => (group === SILVER ? { ...SILVER, reserved: 2 } : group));
  expect(reasonsOf({}, 'silver', crowded)).toEqual([
    'GROUP_FULL: group "silver" has room for 4 more, and 5 volumes would move to it',
  ]);
  expect(reasonsOf({ gold: 'silver', bronze: 'silver' })).toEqual([]);
});

test('a group with volumes needs a target, and is told which have room; an empty one needs none', () => {
  expect(reasonsOf({ gold: 'silver' })).toEqual([
    'INVALID_REQUEST: group "bronze" with 2 volumes needs a target, by --to or --map bronze=…; these have room: silver',
  ]);
});

test('every target that can take nothing is told, and every group that is not served', () => {
  expect(reasonsOf({ gold: 'nowhere', bronze: 'gone', silver: 'full' })).toEqual([
    'INVALID_REQUEST: it does not serve group "silver"',
    'GROUP_NOT_FOUND: there is no consistency group "nowhere"',
    'GROUP_RETIRED: group "gone" is retired',
  ]);
  expect(reasonsOf({ gold: 'empty', bronze: 'full' })).toEqual([
    'INVALID_REQUEST: group "empty" is served by the same appliance',
    'GROUP_FULL: group "full" has room for 1 more, and 2 volumes would move to it',
  ]);
});
