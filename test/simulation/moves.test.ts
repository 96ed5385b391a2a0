// The protocol under seeded simulation: real cores, real steps and the real saga in virtual time
// and a hostile world. A failing seed is a bug report.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { GroupId } from '../../contracts/ids.js';
import { isQuiet } from './checker.js';
import { LOST_MIXES, MIXES, PUT_BACK_MIXES, type Mix } from './mixes.js';
import { factsOf } from './facts.js';
import { LEASE_MS, runMove } from './orchestrator.js';
import { unreached } from './reached.js';
import { QUIET_LIMIT_MS, runSeed } from './run.js';
import { mixNamed } from './share.js';
import { NO_FAULTS, World } from './world.js';

/** Longest time for all runs, in ms: hours, where VOLUME_MOVER_SIMULATED_SEEDS asks for them. */
const SIMULATE_MS_MAX = 24 * 3_600_000;
const RUN = fileURLToPath(new URL('../../scripts/run.mjs', import.meta.url));
/** Shares of a mix's moves: most of what befalls them only delays them. */
const MOVED_SHARE_MIN = 0.2;
const FAILED_SHARE_MAX = 0.6;
/** Fewer seeds may miss a rare branch, or a put-back folder, by chance. */
const SEEDS_THAT_REACH_ALL = 40;
/** Seeds, each in every mix. VOLUME_MOVER_SIMULATED_SEEDS asks for more, as .ci/run does. */
const SEEDS = Number(process.env['VOLUME_MOVER_SIMULATED_SEEDS'] ?? 12);
/**
 * CI runs the same seeds each time, so that it judges the change and not the day's luck. `npm run
 * simulate` explores.
 */
const FIRST_SEED = Number(process.env['VOLUME_MOVER_SEED'] ?? 700_000);

const countsSchema = z.record(z.string(), z.number());
const totalsSchema = z.object({
  runs: z.number(),
  reads: z.number(),
  moves: countsSchema,
  faults: countsSchema,
  reached: countsSchema,
  broken: z.array(z.object({ seed: z.number(), message: z.string() })),
});
const reportSchema = z.object({ mixes: z.record(z.string(), totalsSchema) });
type SimulationReport = z.infer<typeof reportSchema>;

/** Runs all seeds in all mixes as a person does, over processes. */
async function simulate(): Promise<SimulationReport> {
  const asked = ['--seed', FIRST_SEED, '--runs', SEEDS * MIXES.length].map(String);
  const child = spawn(process.execPath, [RUN, 'simulate', '--json', ...asked], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return reportSchema.parse(JSON.parse(await text(child.stdout)));
}

describe(`moves in every mix of faults (seeds ${FIRST_SEED} to ${FIRST_SEED + SEEDS - 1})`, () => {
  let report: SimulationReport;

  beforeAll(async () => {
    report = await simulate();
  }, SIMULATE_MS_MAX);

  it.each(MIXES.map((mix) => [mix.name, mix] as const))('keep every promise: %s', (name, mix) => {
    const totals = report.mixes[name];
    expect(totals?.broken).toEqual([]);
    expect(totals).toMatchObject({ runs: SEEDS });
    expect(totals?.reads).toBeGreaterThan(0);
    expect(totals?.moves['moved'], `outcomes ${JSON.stringify(totals?.moves)}`).toBeGreaterThan(0);
    if (SEEDS < SEEDS_THAT_REACH_ALL) return;
    const counts = Object.entries(totals?.moves ?? {});
    const shareOf = (kind: string): number => {
      const all = counts.reduce((sum, [, count]) => sum + count, 0);
      return counts.reduce((sum, [name, count]) => sum + (name.startsWith(kind) ? count : 0), 0) / all;
    };
    expect(shareOf('moved')).toBeGreaterThan(MOVED_SHARE_MIN);
    expect(shareOf('failed')).toBeLessThan(FAILED_SHARE_MAX);
    const { faults = {} } = totals ?? {};
    const putBack = (faults['site put back'] ?? 0) + (faults['splitter put back'] ?? 0);
    if (PUT_BACK_MIXES.includes(mix)) expect(putBack).toBeGreaterThan(0);
    if (LOST_MIXES.includes(mix)) expect(faults['splitter lost']).toBeGreaterThan(0);
  });

  it.runIf(SEEDS >= SEEDS_THAT_REACH_ALL)('reach every declared guard, refusal and rare branch', () => {
    const marks = Object.values(report.mixes).flatMap(({ reached }) => Object.entries(reached));
    const counts = new Map<string, number>();
    for (const [mark, count] of marks) counts.set(mark, (counts.get(mark) ?? 0) + count);
    expect(unreached(counts)).toEqual([]);
  });
});

describe('moves under seeded simulation', () => {
  it('moves and moves back without a fault: nothing is sent again, no hole, the guest never waits', async () => {
    const mix: Mix = {
      name: 'calm',
      faults: {},
      splitters: 1,
      volumesPerSplitter: 3,
      trouble: () => ({ workerDies: 0 }),
    };
    const { ends, points, world } = await runSeed(mix, FIRST_SEED, 6);
    for (const end of ends) {
      expect(end.kind).toBe('moved');
      if (end.kind === 'moved')
        for (const volume of end.report.volumes)
          expect(volume).toMatchObject({ resentBytes: 0, holes: [], epochAfter: volume.epochBefore + 1 });
    }
    expect(points.full).toBeGreaterThan(10);
    expect(world.site.state.holes.size).toBe(0);
    expect(world.worstLatencyMs).toBeLessThan(20);
  });

  it(
    'finds a torn point when cuts over several splitters are not confirmed, so the checker can fail',
    { timeout: 120_000 },
    async () => {
      const mix: Mix = {
        name: 'unconfirmed',
        faults: { delayMsMax: 400, confirmCuts: false },
        splitters: 2,
        volumesPerSplitter: 2,
        trouble: () => ({ workerDies: 0 }),
      };
      const findsTorn = async (seed: number): Promise<boolean> =>
        runSeed(mix, seed, 1).then(
          () => false,
          (error: unknown) => /though it contains write/.test(String(error)),
        );
      let seed = 1;
      while (seed <= 20 && !(await findsTorn(seed))) seed += 1;
      expect(seed, 'a seed with a torn point').toBeLessThanOrEqual(20);
    },
  );

  it.each([
    ['the replica site', { sitePutBack: 0.05, splitterPutBack: 0 }],
    ['a splitter', { sitePutBack: 0, splitterPutBack: 0.05 }],
  ])(
    'finds that replica and source differ when %s comes back older and nobody compares what the two ends have',
    { timeout: 120_000 },
    async (_who, putBack) => {
      const mix: Mix = {
        name: 'unaware',
        faults: { crash: 0.05, compareEnds: false, ...putBack },
        splitters: 1,
        volumesPerSplitter: 2,
        trouble: () => ({ workerDies: 0 }),
      };
      const findsDifference = async (seed: number): Promise<boolean> =>
        runSeed(mix, seed, 0).then(
          () => false,
          (error: unknown) => /there is no mark|the replica holds|marked regions/.test(String(error)),
        );
      let seed = 1;
      while (seed <= 40 && !(await findsDifference(seed))) seed += 1;
      expect(seed, 'a seed with a difference').toBeLessThanOrEqual(40);
    },
  );

  it('finds a guest that reads a blank disk when a lost folder is served unproven', { timeout: 120_000 }, async () => {
    const mix: Mix = {
      name: 'unproven',
      faults: { crash: 0.05, splitterLost: 0.5, proveSources: false },
      splitters: 1,
      volumesPerSplitter: 2,
      trouble: () => ({ workerDies: 0 }),
    };
    const findsMisread = async (seed: number): Promise<boolean> =>
      runSeed(mix, seed, 0).then(
        () => false,
        (error: unknown) => /the guest read 0 from block/.test(String(error)),
      );
    let seed = 1;
    while (seed <= 20 && !(await findsMisread(seed))) seed += 1;
    expect(seed, 'a seed with a blank disk').toBeLessThanOrEqual(20);
  });

  it('closes no torn point for a hasty mover that seals two hosts of which one holds no longer', async () => {
    const run = await factsOf(mixNamed(MIXES, 'hasty movers'), 700_219);
    expect(run.broken).toBeUndefined();
    expect(run.faults.get('hasty call')).toBeGreaterThan(0);
  });

  it('lets a fence lapse and delivers the backlog when the orchestrator is gone for good', async () => {
    let asked = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + 10; seed += 1) {
      const world = new World(seed, NO_FAULTS, { splitters: 1, volumesPerSplitter: 2 });
      world.start();
      const [volume] = world.volumes;
      if (volume === undefined) throw new Error('a world has volumes');
      let ended = false;
      const terminateAfterMs = world.chance.between(20, 80);
      void runMove(world, 'gone', [volume], 'g2' as GroupId, { workerDies: 0, terminateAfterMs }).finally(() => {
        ended = true;
      });
      await world.time.runUntil(() => ended, 10_000);
      await world.time.runUntil(() => false, LEASE_MS * 2);
      world.guestRuns = false;
      expect(
        await world.time.runUntilAsked(
          () => world.acknowledged === world.history.length && isQuiet(world),
          100,
          QUIET_LIMIT_MS,
        ),
        `seed ${seed}`,
      ).toBe(true);
      world.stopped = true;
      asked += world.reached.get('a splitter asked: ABORTED') ?? 0;
    }
    expect(asked, 'verdicts on fences that lapsed').toBeGreaterThan(0);
  });
});
