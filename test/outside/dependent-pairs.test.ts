// Two volumes on two hosts, one written only after the other has acknowledged: every recovery point
// must keep their order, moves or not.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { ApplianceGroup } from '../../contracts/appliance-api.js';
import type { GroupId } from '../../contracts/ids.js';
import type { MoveReport } from '../../contracts/move.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import { HOLD_MS_MAX } from '../../contracts/splitter-api.js';
import { compareExports, type Export } from '../../estate/compare.js';
import { PATIENCE_MS, until, untilTrue } from '../support/until.js';
import { instantFaults, type Newest, pairFaults, readNewest } from './pair-checker.js';
import { PairLog, type Side, SIDES } from './pair-log.js';
import { PairWriter } from './pair-writer.js';
import { applianceOf, GOLD, GROUPS, HOST_OF, PairsEstate, SILVER, VOLUME_OF } from './pairs-estate.js';

/** Delay of a cut or a fence, ms: longer than a host holds acknowledgements. */
const TOO_LATE_MS = HOLD_MS_MAX + 150;
/** Time for the check of all points, ms: hundreds of images on a busy machine. */
const CHECK_MS_MAX = 300_000;
const BOTH = [VOLUME_OF.cause, VOLUME_OF.effect];

let pairs: PairsEstate;
const log = new PairLog();
beforeAll(async () => {
  pairs = await PairsEstate.start(inject('temporalAddress'));
});
afterAll(async () => pairs.stop());

describe('dependent pairs on two hosts that are moved together, there and back', () => {
  const MOVES = 10;
  /** Points with both volumes that the new group closes before they leave it again. */
  const POINTS_BETWEEN = 5;
  /** Delay of the second host's cuts and fences after the first one's, ms, move by move. */
  const APART_MS = [0, 10, 40] as const;
  const reports: MoveReport[] = [];

  test('go on being written throughout ten moves, and afterwards both replicas are their sources', async () => {
    const writer = await startWriter();
    for (let i = 0; i < MOVES; i += 1) {
      pairs.fences.delayMs = pairs.cuts.delayMs = APART_MS[i % APART_MS.length] ?? 0;
      const report = await Promise.race([
        pairs.estate.move({ volumes: BOTH, to: i % 2 === 0 ? SILVER : GOLD }),
        writer.failed,
      ]);
      reports.push(report);
      const written = log.pairs;
      await untilTrue('points in the new group', PATIENCE_MS, async () => {
        const points = await pointsWithBoth(report.to.group, report.endedAtMs);
        return points.length >= POINTS_BETWEEN && log.pairs > written;
      });
    }
    pairs.fences.delayMs = pairs.cuts.delayMs = 0;
    await writer.stop();
    expect(reports.map(({ outcome }) => outcome)).toEqual(Array.from({ length: MOVES }, () => 'moved'));
    expect(reports.flatMap(({ volumes }) => volumes.flatMap(({ holes }) => holes))).toEqual([]);
    await pairs.estate.quiet(...BOTH);
    for (const side of SIDES)
      expect(
        await compareExports(await source(side), await pairs.estate.image(VOLUME_OF[side])),
        `replica of ${side}`,
      ).toMatchObject({ differentBytes: 0 });
    const [causes, effects] = [await latest('cause'), await latest('effect')];
    expect(causes).toEqual(effects);
    expect(effects.reduce((sum, n) => sum + n, 0)).toBe(log.pairs);
  });

  test('stay where they are, with all their points, when the fences of a move are further apart than a hold', async () => {
    const writer = await startWriter();
    const before = await standing();
    pairs.fences.delayMs = TOO_LATE_MS;
    const move = pairs.estate.move({ volumes: BOTH, to: SILVER, options: { attemptsMax: 1 } });
    await expect(Promise.race([move, writer.failed])).rejects.toMatchObject({ code: 'CUT_VOID' });
    pairs.fences.delayMs = 0;
    expect(await standing()).toEqual(before);
    const endedAtMs = Date.now();
    await untilTrue('a later point with both', PATIENCE_MS, async () =>
      (await allPoints()).some((point) => point.atMs > endedAtMs && sidesIn(point).length === SIDES.length),
    );
    await writer.stop();
  });

  test('each move left a "left" and a "joined" bookmark in force, each with both volumes', async () => {
    const points = new Map((await allPoints()).map((point) => [point.id, point]));
    for (const { bookmarks, from, to } of reports) {
      const [left, joined] = [points.get(bookmarks.left.point), points.get(bookmarks.joined.point)];
      expect(left).toMatchObject({ group: from.group, kind: 'left', bookmark: { pending: false } });
      expect(joined).toMatchObject({ group: to.group, kind: 'joined', bookmark: { pending: false } });
      for (const point of [left, joined])
        expect(point?.members.map(({ volume }) => volume)).toEqual(expect.arrayContaining(BOTH));
    }
    expect(new Set(reports.flatMap(({ bookmarks }) => [bookmarks.left.point, bookmarks.joined.point])).size).toBe(
      2 * MOVES,
    );
  });

  test(
    'at every retained recovery point no effect is without its cause, and each volume is at one instant of its writer',
    async () => {
      const points = await allPoints();
      const checked = await checkPoints(points);
      expect(checked.faults).toEqual([]);
      const both = checked.both.map(({ group }) => group);
      for (const group of GROUPS) {
        const ofGroup = both.filter((candidate) => candidate === group).length;
        const { pointsSkipped } = await groupOf(group);
        console.log(`${group}: ${ofGroup} points with both volumes, ${pointsSkipped} skipped`);
        expect(ofGroup, `points of ${group} with both volumes`).toBeGreaterThan(20);
      }
      console.log(`${log.pairs} pairs, ${points.length} points, ${checked.images} images, ${checked.states} states`);
      // Different states, not one state many times.
      expect(checked.states).toBeGreaterThan(50);
    },
    CHECK_MS_MAX,
  );
});

describe('cuts of two hosts that are some time apart', () => {
  /**
   * Delay of the second host's cut, ms: some ten pairs fit in, and the first host's hold is far
   * from its end.
   */
  const APART_MS = 40;
  /** Points that are closed for each check. */
  const POINTS = 10;
  /** Longest time to see a torn point, ms. */
  const TORN_MS_MAX = 60_000;

  test('are one instant all the same, because acknowledgements are held', async () => {
    const points = await withSlowCuts(APART_MS, async () => nextPoints(POINTS));
    const { faults, both } = await checkPoints(points);
    expect(faults).toEqual([]);
    expect(both.length).toBeGreaterThanOrEqual(POINTS);
  });

  test('are no point when a hold ended too early: it is skipped, and counted', async () => {
    const points = await withSlowCuts(TOO_LATE_MS, async () => {
      const sinceMs = await slowCutsSinceMs();
      const before = await groupOf(GOLD);
      await untilTrue('skipped points', PATIENCE_MS, async () => {
        const { pointsSkipped } = await groupOf(GOLD);
        return pointsSkipped >= before.pointsSkipped + 2;
      });
      return pointsWithBoth(GOLD, sinceMs);
    });
    expect(points).toEqual([]);
  });

  test('are torn without hold and confirmation, and the check sees it', async () => {
    const { calls } = pairs.estate.appliance(applianceOf(GOLD));
    const faults: string[] = [];
    await calls.setRounds({ unconfirmed: true });
    try {
      await withSlowCuts(APART_MS, async () => {
        await untilTrue('a torn point', TORN_MS_MAX, async () => {
          faults.push(...(await checkPoints(await nextPoints(1))).faults);
          return faults.length > 0;
        });
      });
    } finally {
      await calls.setRounds({ unconfirmed: false });
    }
    expect(faults.join('\n')).toMatch(/the causes are at number \d+, the effects at \d+/);
    expect(faults.join('\n')).toMatch(/acknowledged before it was issued, is not/);
  });

  async function withSlowCuts<T>(delayMs: number, work: () => Promise<T>): Promise<T> {
    const writer = await startWriter();
    pairs.cuts.delayMs = delayMs;
    try {
      return await Promise.race([work(), writer.failed]);
    } finally {
      pairs.cuts.delayMs = 0;
      await writer.stop();
    }
  }

  /** When every cut that is taken is a slow one: a round that was under way is over. */
  async function slowCutsSinceMs(): Promise<number> {
    const { passed } = pairs.cuts;
    await untilTrue('slow cuts', PATIENCE_MS, async () => pairs.cuts.passed >= passed + 2);
    return Date.now();
  }

  /** The next periodic points with both volumes, all of slow cuts. */
  async function nextPoints(count: number): Promise<RecoveryPoint[]> {
    const sinceMs = await slowCutsSinceMs();
    return await until(`${count} points`, PATIENCE_MS, async () => {
      const points = await pointsWithBoth(GOLD, sinceMs);
      return points.length >= count ? points : undefined;
    });
  }
});

interface Checked {
  readonly faults: readonly string[];
  /** Points with both volumes. */
  readonly both: readonly RecoveryPoint[];
  /** Images that were opened. */
  readonly images: number;
  /** Different states that points with both volumes hold. */
  readonly states: number;
}

/** Opens each of the pair's volumes in each point. */
async function checkPoints(points: readonly RecoveryPoint[]): Promise<Checked> {
  const faults: string[] = [];
  const states = new Set<string>();
  const both: RecoveryPoint[] = [];
  let images = 0;
  for (const point of points) {
    const fault = (what: string): void => void faults.push(`${point.group} ${point.kind} ${point.id}: ${what}`);
    const found = await disksOf(point, fault);
    images += Object.keys(found).length;
    instantFaults(log, found).forEach(fault);
    if (found.cause === undefined || found.effect === undefined) continue;
    both.push(point);
    states.add(JSON.stringify(found));
    pairFaults(found.cause, found.effect).forEach(fault);
  }
  return { faults, both, images, states: states.size };
}

async function disksOf(point: RecoveryPoint, fault: (what: string) => void): Promise<Partial<Record<Side, Newest>>> {
  const read = await Promise.all(
    sidesIn(point).map(async (side) => {
      try {
        const newest = await readNewest(await pairs.estate.image(VOLUME_OF[side], point.id), side);
        // Alone, as when only this volume is recovered.
        instantFaults(log, { [side]: newest }).forEach(fault);
        return [[side, newest]] as const;
      } catch (error) {
        fault(error instanceof Error ? error.message : String(error));
        return [];
      }
    }),
  );
  return Object.fromEntries(read.flat());
}

function sidesIn({ members }: RecoveryPoint): Side[] {
  return SIDES.filter((side) => members.some(({ volume }) => volume === VOLUME_OF[side]));
}

async function allPoints(): Promise<RecoveryPoint[]> {
  const listed = await Promise.all(GROUPS.map(async (group) => pairs.estate.client.points.list({ group })));
  return listed.flatMap(({ points }) => points);
}

/** Points of a group with both volumes, closed after a time. */
async function pointsWithBoth(group: GroupId, sinceMs: number): Promise<RecoveryPoint[]> {
  const { points } = await pairs.estate.client.points.list({ group });
  return points.filter((point) => point.atMs > sinceMs && sidesIn(point).length === SIDES.length);
}

async function groupOf(id: GroupId): Promise<ApplianceGroup> {
  const appliance = applianceOf(id);
  const { groups } = await pairs.estate.appliance(appliance).calls.groups({});
  const found = groups.find(({ group }) => group === id);
  if (found === undefined) throw new Error(`Appliance ${appliance} does not serve ${id}.`);
  return found;
}

/** Group and epoch of the ownership of both volumes. */
async function standing(): Promise<readonly { readonly group: GroupId; readonly epoch: number }[]> {
  const volumes = await pairs.estate.client.volumes.list();
  return volumes.filter(({ volume }) => BOTH.includes(volume)).map(({ group, epoch }) => ({ group, epoch }));
}

async function source(side: Side): Promise<Export> {
  return await pairs.estate.source(VOLUME_OF[side], HOST_OF[side]);
}

async function latest(side: Side): Promise<Newest> {
  return await readNewest(await pairs.estate.image(VOLUME_OF[side]), side);
}

async function startWriter(): Promise<PairWriter> {
  const before = log.pairs;
  const writer = await PairWriter.start({ cause: await source('cause'), effect: await source('effect') }, log);
  await Promise.race([untilTrue('the first pairs', PATIENCE_MS, async () => log.pairs > before + 100), writer.failed]);
  return writer;
}
