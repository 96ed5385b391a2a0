// A large batch while its worker and its Temporal server are killed again and again, and some of
// its moves can't succeed.
import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findGroups } from '../../control/site-lookup.js';
import { anyAppliance } from '../../control/ports.js';
import type { StartedBatch } from '../../client/batches/batch-client.js';
import type { ListedVolume } from '../../client/volumes/inventory.js';
import type { BatchReport } from '../../contracts/batch.js';
import type { MoveId, VolumeId } from '../../contracts/ids.js';
import type { StoredMoveReport } from '../../contracts/report.js';
import { compareExports, withExport } from '../../estate/compare.js';
import { type Guest, startGuest } from '../../estate/guest/guest.js';
import { verifyFinal } from '../../estate/guest/verify.js';
import { WORKER_ID } from '../../estate/launch.js';
import { withPorts } from '../../estate/ports.js';
import { DEV_NAMESPACE } from '../../estate/temporal/server.js';
import { readAhead } from '../../nbd/read-ahead.js';
import { Chance } from '../simulation/virtual-time.js';
import { ControlDetour } from '../support/control-detour.js';
import { estateOf, TestEstate } from '../support/test-estate.js';
import { untilTrue } from '../support/until.js';
import { type Fate, FateGate, NARROW, PAUSED, REFUSAL, SOURCES, TARGETS, type Wish, wishesOf } from './batch-fates.js';
import { DurableTemporal } from './durable-temporal.js';

/** Enough for the batch to go on in new runs: three minutes on two cores. */
const VOLUMES_DEFAULT = 500;
/** Fewer for a quick look while developing. */
const VOLUMES = Number(process.env['VOLUME_MOVER_CHAOS_VOLUMES'] ?? VOLUMES_DEFAULT);
/** Decides what happens to each volume and after how many moves who is killed. */
const SEED = Number(process.env['VOLUME_MOVER_CHAOS_SEED'] ?? randomInt(2 ** 31));
const SIZE_MIB = 1;
const BLOCK_BYTES = 4_096;
const AT_ONCE = 24;
/** More than all volumes in one group. */
const ROOM = 1_000;
/** Room in the group that is too small for those that want to go there. */
const NARROW_ROOM = 2;
/** Each point of a large group names all of its members. */
const POINT_EVERY_MS = 5_000;
/** Volumes that are written to all the time; the others have their first block only. */
const GUESTS = 10;
const WRITES_PER_SECOND = 15;
/** Exports open at once. */
const LANES = 4;

type Victim = 'worker' | 'temporal' | 'both';
/** The kills, each with the least share of the movable volumes that have moved before it. */
const KILLS: readonly (readonly [share: number, victim: Victim])[] = [
  [0.1, 'worker'],
  [0.25, 'temporal'],
  [0.4, 'worker'],
  [0.55, 'both'],
  [0.75, 'worker'],
];
/** The seed adds up to this to the share of each kill. */
const SHARE_SPREAD = 0.1;

/**
 * How long the batch may take between two kills, and to its end, ms: several times what 2 quiet
 * cores need.
 */
const PART_MS_MAX = 300_000;
const QUIET_MS_MAX = 60_000;
const TEST_MS_MAX = 1_200_000;

const wishes = wishesOf(SEED, VOLUMES);
const gate = new FateGate(wishes);
const wishOf = new Map<string, Wish>(wishes.map((wish) => [wish.volume, wish]));
const detours: ControlDetour[] = [];
const guests = new Map<VolumeId, Guest>();
let folder: string;
let temporal: DurableTemporal;
let estate: TestEstate;

beforeAll(async () => {
  console.log(`seed ${SEED}, ${VOLUMES} volumes`);
  folder = await mkdtemp(join(tmpdir(), 'volume-mover-test-'));
  temporal = await DurableTemporal.start(folder);
  const planned = await withPorts(plannedEstate());
  for (const { control } of [...planned.splitters, ...planned.appliances]) {
    const detour = new ControlDetour(control);
    await detour.start();
    detour.hold(gate);
    control.url = detour.url;
    detours.push(detour);
  }
  estate = await TestEstate.start({
    estate: planned,
    temporal: { address: temporal.address, namespace: DEV_NAMESPACE },
  });
  await estate.appliance('appliance-2').calls.pauseGroup({ group: PAUSED });
  const busy = written();
  await inLanes(
    wishes.filter((wish) => !busy.includes(wish)),
    async ({ volume }) => writeFirstBlock(volume),
  );
  for (const { volume } of busy) {
    const { address } = await estate.source(volume);
    guests.set(
      volume,
      await startGuest({ address, volume, seed: guests.size + 1, writesPerSecond: WRITES_PER_SECOND }),
    );
  }
}, TEST_MS_MAX);

afterAll(async () => {
  for (const guest of guests.values()) await guest.abandon();
  for (const detour of detours) await detour.stop();
  await estate.stop();
  await temporal.stop();
  await rm(folder, { recursive: true, force: true });
}, TEST_MS_MAX);

test(
  'however often worker and server are killed, each volume of a batch has moved once or not at all, and the reports say which',
  async () => {
    const started = await estate.client.batches.start({
      moves: wishes.map(({ volume, to }) => ({ volume, to })),
      options: { concurrency: { all: AT_ONCE } },
    });
    await killAlong();
    await expect(estate.temporal.workflow.getHandle(started.workflowId).result()).resolves.toBeDefined();
    const report = await estate.ports.appliances.values().next().value?.calls.batchReport({ batch: started.batchId });
    if (report === undefined) throw new Error('The estate has no appliance.');

    for (const guest of guests.values()) await guest.pause();
    await allQuiet();
    const volumes = await estate.client.volumes.list();
    expect(volumes).toHaveLength(VOLUMES);
    const moved = expectMovedOrUntouched(volumes);
    const reports = await storedReports(started);
    expectReportsOf(reports, report, moved);
    expectCounts(report, moved);
    await expectBookmarksOf(reports.filter(({ outcome }) => outcome === 'moved').map(({ move }) => move));
    await inLanes(wishes, async ({ volume }) => {
      const compared = await compareExports(await estate.source(volume), await estate.image(volume));
      expect(compared, `replica of ${volume}`).toMatchObject({ differentBytes: 0 });
    });
    for (const [volume, { seed, log }] of guests) {
      const source = await estate.source(volume);
      const verified = await withExport(source, async (client) => verifyFinal(readAhead(client), seed, log));
      expect(verified, `source of ${volume}`).toMatchObject({ faults: 0, described: [] });
    }
  },
  TEST_MS_MAX,
);

function plannedEstate() {
  const of = (group: string) => wishes.filter(({ from }) => from === group).map(({ volume }) => volume);
  const planned = estateOf({
    groups: {
      [SOURCES[0]]: { appliance: 'appliance-1', volumes: of(SOURCES[0]), volumesMax: ROOM },
      [SOURCES[1]]: { appliance: 'appliance-2', volumes: of(SOURCES[1]), volumesMax: ROOM },
      [TARGETS[0]]: { appliance: 'appliance-2', volumes: [], volumesMax: ROOM },
      [TARGETS[1]]: { appliance: 'appliance-1', volumes: [], volumesMax: ROOM },
      [PAUSED]: { appliance: 'appliance-2', volumes: [], volumesMax: ROOM },
      [NARROW]: { appliance: 'appliance-1', volumes: [], volumesMax: NARROW_ROOM },
    },
    sizeMiB: SIZE_MIB,
  });
  return { ...planned, groups: planned.groups.map((group) => ({ ...group, pointEveryMs: POINT_EVERY_MS })) };
}

/** The wishes whose volumes a guest writes: one of each fate first, then others. */
function written(): Wish[] {
  const firsts = new Map<string, Wish>();
  for (const wish of wishes) {
    const { fate } = wish;
    const key = 'path' in fate ? `${fate.kind} ${fate.path}` : fate.kind;
    if (!firsts.has(key)) firsts.set(key, wish);
  }
  return [...new Set([...firsts.values(), ...wishes])].slice(0, GUESTS);
}

async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const lane = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Writes a block, so that the comparison with the replica has something to find. */
async function writeFirstBlock(volume: VolumeId): Promise<void> {
  const block = Buffer.alloc(BLOCK_BYTES, `${volume} `);
  await withExport(await estate.source(volume), async (client) => client.write(0, block));
}

/**
 * Kills and starts again, each time once more volumes have moved, until the last part of the batch.
 */
async function killAlong(): Promise<void> {
  const chance = new Chance(SEED);
  const movable = wishes.filter(({ fate }) => isToMove(fate)).length;
  for (const [share, victim] of KILLS) {
    const wanted = Math.ceil(movable * (share + chance.between(0, SHARE_SPREAD)));
    await untilTrue(`the move of ${wanted} volumes`, PART_MS_MAX, async () => (await movedSoFar()) >= wanted);
    await killAndStart(victim);
  }
}

async function movedSoFar(): Promise<number> {
  const groups = await findGroups(estate.ports);
  return groups
    .filter(({ group }) => !SOURCES.some((source) => source === group))
    .reduce((sum, { volumes }) => sum + volumes, 0);
}

async function killAndStart(victim: Victim): Promise<void> {
  const worker = estate.process(WORKER_ID);
  await Promise.all([
    ...(victim === 'temporal' ? [] : [worker.kill()]),
    ...(victim === 'worker' ? [] : [temporal.kill()]),
  ]);
  if (victim !== 'worker') await temporal.restart();
  await worker.start();
}

function isToMove({ kind }: Fate): boolean {
  return kind === 'moves' || kind === 'call lost';
}

async function allQuiet(): Promise<void> {
  await untilTrue('quiet on every volume', QUIET_MS_MAX, async () => {
    const volumes = await estate.client.volumes.list();
    return volumes.every(
      ({ splitterView: view, undistributedBytes }) =>
        view?.unconfirmedBytes === 0 && view.markedRegions === 0 && undistributedBytes === 0,
    );
  });
}

/** @returns the volumes that have moved */
function expectMovedOrUntouched(volumes: readonly ListedVolume[]): ReadonlySet<VolumeId> {
  const moved = new Set<VolumeId>();
  for (const { volume, group, epoch, openAttempt, splitterView } of volumes) {
    const wish = wishOf.get(volume);
    if (epoch > 1) moved.add(volume);
    expect({ group, epoch }, volume).toEqual(
      epoch > 1 ? { group: wish?.to, epoch: 2 } : { group: wish?.from, epoch: 1 },
    );
    expect(splitterView, volume).toMatchObject({ mode: 'SYNCED', route: { group, epoch } });
    const { fence, notice } = splitterView ?? {};
    expect({ openAttempt, fence, notice }, `left of ${volume}`).toEqual({});
  }
  for (const { volume, fate } of wishes) {
    if (isToMove(fate)) expect(moved, `${volume}: ${fate.kind}`).toContain(volume);
    else if (fate.kind !== 'narrow') expect(moved, `${volume}: ${fate.kind}`).not.toContain(volume);
    if (fate.kind === 'call lost') expect(gate.lost, `lost call of ${volume}`).toContain(volume);
  }
  return moved;
}

async function storedReports({ batchId }: StartedBatch): Promise<StoredMoveReport[]> {
  const reports: StoredMoveReport[] = [];
  let cursor: string | undefined;
  do {
    const page = { batch: batchId, ...(cursor === undefined ? {} : { cursor }) };
    const answer = await anyAppliance(estate.ports, async ({ calls }) => calls.reports(page));
    reports.push(...answer.reports);
    cursor = answer.next;
  } while (cursor !== undefined);
  return reports;
}

/** One for each planned move, and each says what became of its volume. */
function expectReportsOf(
  reports: readonly StoredMoveReport[],
  { counts, failures }: BatchReport,
  moved: ReadonlySet<VolumeId>,
): void {
  expect(reports.map(({ seq }) => seq)).toEqual(Array.from({ length: counts.planned }, (_, seq) => seq));
  expect(new Set(reports.flatMap(({ volumes }) => volumes)).size).toBe(counts.planned);
  for (const { volumes, outcome, problem } of reports) {
    const [volume] = volumes;
    const fate = wishOf.get(volume ?? '')?.fate.kind;
    expect(outcome, volume).toBe(volume !== undefined && moved.has(volume) ? 'moved' : 'failed');
    if (fate === 'call refused') expect(problem?.code, volume).toBe(REFUSAL);
    if (fate === 'paused') expect(problem?.code, volume).toBe('MOVE_REFUSED');
  }
  const failed = reports.filter(({ outcome }) => outcome === 'failed').map(({ seq }) => seq);
  expect(failed).toEqual(expect.arrayContaining(failures.map(({ seq }) => seq)));
}

/** What the batch has counted is what the estate shows. */
function expectCounts({ outcome, counts, leftOut }: BatchReport, moved: ReadonlySet<VolumeId>): void {
  const narrow = wishes.filter(({ fate }) => fate.kind === 'narrow').length;
  const refused = Math.max(0, narrow - NARROW_ROOM);
  expect(outcome).toBe('complete');
  expect(leftOut.map(({ code }) => code)).toEqual(Array.from({ length: refused }, () => 'GROUP_FULL'));
  expect(counts).toEqual({
    planned: VOLUMES - refused,
    moved: moved.size,
    failed: VOLUMES - refused - moved.size,
    refused,
    waiting: 0,
    running: 0,
    cancelled: 0,
    alreadyThere: 0,
    skipped: 0,
  });
}

/** One "left" and one "joined" of each move that was made, none of any other, none pending. */
async function expectBookmarksOf(moves: readonly MoveId[]): Promise<void> {
  const found: string[] = [];
  for (const { group } of await estate.client.groups.list()) {
    const { points } = await estate.client.points.list({ group });
    for (const { kind, bookmark } of points)
      if (bookmark !== undefined) found.push(`${bookmark.attempt?.move} ${kind}${bookmark.pending ? ' pending' : ''}`);
  }
  expect(found.toSorted()).toEqual(moves.flatMap((move) => [`${move} joined`, `${move} left`]).toSorted());
}
