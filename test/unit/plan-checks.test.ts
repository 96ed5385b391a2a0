// The checks of a plan: each with its finding, on a simulated estate whose answers each test
// changes.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { planMove } from '../../activities/plan.js';
import { planChecks } from '../../client/moves/plan-checks.js';
import { MoverError } from '../../contracts/errors.js';
import { groupIdSchema, moveIdSchema, splitterIdSchema } from '../../contracts/ids.js';
import { type Access, accessSchema } from '../../contracts/images.js';
import { moveInputSchema, type PlanCheck } from '../../contracts/move.js';
import type { SiteGroup } from '../../contracts/replica-site-api.js';
import type { SplitterVolume } from '../../contracts/splitter-api.js';
import { anyAppliance, type Ports } from '../../control/ports.js';
import { NO_FAULTS, World } from '../simulation/world.js';

const G2 = groupIdSchema.parse('g2');
const PATIENCE_MS = 60_000;
let world: World;

beforeEach(async () => {
  world = new World(1, NO_FAULTS, { splitters: 1, volumesPerSplitter: 2 });
  world.start();
  await world.time.runUntil(() => world.acknowledged > 20, PATIENCE_MS);
});
afterEach(() => {
  world.stopped = true;
});

interface Answers {
  readonly group?: (group: SiteGroup) => Partial<SiteGroup>;
  readonly split?: (volume: SplitterVolume) => Partial<SplitterVolume>;
  readonly hasOpenImage?: true;
  readonly tellsNoImages?: true;
}

/** The world's ports, with changed answers. */
function portsWith({ group, split, hasOpenImage, tellsNoImages }: Answers): Ports {
  const { appliances, splitters } = world.ports();
  return {
    appliances: new Map(
      [...appliances].map(([id, port]) => [
        id,
        {
          ...port,
          calls: {
            ...port.calls,
            siteGroups: async (query) => {
              const answer = await port.calls.siteGroups(query);
              return { ...answer, groups: answer.groups.map((each) => ({ ...each, ...group?.(each) })) };
            },
            listAccesses: async () => {
              if (tellsNoImages === true) throw new MoverError('UNREACHABLE', 'No answer.');
              return { accesses: hasOpenImage === undefined ? [] : [openImage()] };
            },
          },
        },
      ]),
    ),
    splitters: new Map(
      [...splitters].map(([id, port]) => [
        id,
        {
          ...port,
          calls: {
            ...port.calls,
            inventory: async (query) => {
              const answer = await port.calls.inventory(query);
              return { ...answer, volumes: answer.volumes.map((each) => ({ ...each, ...split?.(each) })) };
            },
          },
        },
      ]),
    ),
  };
}

function openImage(): Access {
  return accessSchema.parse({
    id: 'drill',
    point: 'p1',
    atMs: 1,
    writable: false,
    client: 'test',
    openedAtMs: 1,
    exports: [{ volume: world.volumes[0], name: 'x', sizeBytes: 1, connections: 1, readBytes: 0, writtenBytes: 0 }],
    leftOut: [],
    warnings: [],
  });
}

async function checksOf(answers: Answers, to: string = G2): Promise<PlanCheck[]> {
  const input = moveInputSchema.parse({ volume: world.volumes[0], to });
  const ports = portsWith(answers);
  let checks: PlanCheck[] | undefined;
  let failure: unknown;
  void planMove(ports, input)
    .then(async (plan) => planChecks(ports, input, plan))
    .then(
      (found) => (checks = found),
      (error: unknown) => (failure = error),
    );
  await world.time.runUntil(() => checks !== undefined || failure !== undefined, PATIENCE_MS);
  if (checks === undefined) throw failure;
  return checks;
}

const findings = (checks: readonly PlanCheck[], check: PlanCheck['check']): readonly string[] =>
  checks.filter((each) => each.check === check).map(({ result, message }) => `${result}: ${message}`);

test('a move that nothing speaks against passes every check', async () => {
  const checks = await checksOf({});
  expect(checks.filter(({ result }) => result === 'refuse')).toEqual([]);
  expect(new Set(checks.map(({ check }) => check)).size).toBeGreaterThan(10);
});

test.each<[PlanCheck['check'], Answers, string]>([
  ['recovery point interval', { group: ({ group }) => (group === G2 ? { pointEveryMs: 60_000 } : {}) }, 'each 60 s'],
  [
    'retention',
    {
      group: ({ group, retention }) =>
        group === G2 ? { retention: { ...retention, keepAllMs: 3_600_000, hourlyMs: 0, dailyMs: 0, weeklyMs: 0 } } : {},
    },
    'keeps new points 1 h (now 28 d)',
  ],
  [
    'journal room',
    { group: ({ retention }) => ({ journal: { bytes: retention.journalBytesMax * 0.9, pointsDropped: 0 } }) },
    '90 % of its room; when it is full the group drops its oldest points',
  ],
  [
    'replication',
    { split: () => ({ mode: 'INITIALIZING' }) },
    'INITIALIZING, not in step with its replica; the move waits',
  ],
  ['replication', { split: () => ({ connected: false }) }, 'not connected to its appliance'],
  ['replication', { split: () => ({ unconfirmedBytes: 1024 ** 3 }) }, '1073741824 bytes in transit'],
  ['reachability', {}, 'no volume uses this connection yet; the first step tries it'],
  ['image accesses', { tellsNoImages: true }, 'does not tell which images are open there'],
  ['image accesses', { hasOpenImage: true }, 'image access "drill" is open'],
])('%s is warned of (%#)', async (check, answers, says) => {
  const [found = '', ...others] = findings(await checksOf(answers), check);
  expect(others.length).toBe(check === 'image accesses' ? 1 : 0);
  expect(found).toMatch(/^warn: /);
  expect(found).toContain(says);
});

test('a splitter that has another volume at the target reaches it', async () => {
  const [first] = world.volumes;
  const appliance = [...world.ports().appliances.keys()][1];
  if (appliance === undefined) throw new Error('a world has two appliances');
  const there = (each: SplitterVolume): Partial<SplitterVolume> =>
    each.volume === first ? {} : { route: { ...each.route, appliance } };
  expect(findings(await checksOf({ split: there }), 'reachability')).toEqual([expect.stringMatching(/^pass: /)]);
});

test('what is refused has its code, and what could not be looked at has no finding', async () => {
  const checks = await checksOf({}, 'no-such-group');
  expect(checks.filter(({ result }) => result === 'refuse')).toEqual([
    {
      check: 'target group',
      result: 'refuse',
      code: 'GROUP_NOT_FOUND',
      message: 'there is no consistency group "no-such-group"',
    },
  ]);
  for (const check of ['owners', 'reachability', 'retention'] as const) expect(findings(checks, check)).toEqual([]);
});

test('a volume that another move holds is refused with how long that can last', async () => {
  const [volume] = world.volumes;
  if (volume === undefined) throw new Error('a world has volumes');
  const opening = {
    attempt: { move: moveIdSchema.parse('other@1'), n: 1 },
    volumes: [{ volume, splitter: splitterIdSchema.parse('s0'), epoch: 1 }],
    from: groupIdSchema.parse('g1'),
    to: groupIdSchema.parse('g3'),
    leaseMs: 42_000,
    deadlineAfterMs: 60_000,
  };
  let isOpen = false;
  void anyAppliance(world.ports(), ({ calls }) => calls.open(opening)).then(() => (isOpen = true));
  await world.time.runUntil(() => isOpen, PATIENCE_MS);
  expect(findings(await checksOf({}), 'other moves')).toEqual([
    expect.stringMatching(
      /^refuse: volume "s0v0" is being moved by other@1; if that move no longer runs, for 4[12]\.\d s more$/,
    ),
  ]);
});
