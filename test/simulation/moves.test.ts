// The protocol under seeded simulation: real cores, real steps and the real saga in virtual time
// and a hostile world. A failing seed is a bug report.
import { describe, expect, it } from 'vitest';
import type { GroupId } from '../../contracts/ids.js';
import {
  checkAttempts,
  checkHoles,
  checkLineages,
  checkMarks,
  checkOwners,
  checkPoints,
  checkQuiet,
  checkReads,
  checkTimeline,
  isQuiet,
} from './checker.js';
import { LEASE_MS, runMove, type MoveEnd, type Trouble } from './orchestrator.js';
import { NO_FAULTS, World, type Faults } from './world.js';

/** Runs of each hostile mix. VOLUME_MOVER_SEEDS asks for more. */
const SEEDS = Number(process.env['VOLUME_MOVER_SEEDS'] ?? 40);
const FIRST_SEED = Number(process.env['VOLUME_MOVER_SEED'] ?? Math.floor(Math.random() * 1_000_000));
/** Length of a run without moves, in ms of virtual time. */
const STORY_WITHOUT_MOVES_MS = 5_000;
/** Longest virtual time from the last fault until a run is quiet, in ms. */
const QUIET_LIMIT_MS = 60_000;

interface Mix {
  readonly name: string;
  readonly faults: Partial<Faults>;
  readonly splitters: number;
  readonly volumesPerSplitter: number;
  readonly trouble: (world: World) => Trouble;
}

const hostile = { loss: 0.03, duplicate: 0.08, delayMsMax: 12, stall: 0.004, breakStream: 0.03, crash: 0.01 };
const sometimes = (world: World): Trouble => {
  const workerDies = world.chance.hit(0.5) ? 0.15 : 0;
  const fate = world.chance.below(5);
  if (fate === 0) return { workerDies, cancelAfterMs: world.chance.between(0, 600) };
  if (fate === 1) return { workerDies, terminateAfterMs: world.chance.between(0, 600) };
  return { workerDies };
};

const MIXES: readonly Mix[] = [
  {
    name: 'one splitter, lossy network, zombies',
    faults: { ...hostile, crash: 0, breakStream: 0 },
    splitters: 1,
    volumesPerSplitter: 3,
    trouble: sometimes,
  },
  {
    name: 'one splitter, everything at once',
    faults: hostile,
    splitters: 1,
    volumesPerSplitter: 3,
    trouble: sometimes,
  },
  {
    name: 'two splitters, lossy network, zombies',
    faults: { ...hostile, crash: 0, breakStream: 0.01 },
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: sometimes,
  },
  {
    name: 'two splitters, everything at once',
    faults: hostile,
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: sometimes,
  },
  {
    name: 'crashes only',
    faults: { ...NO_FAULTS, stall: 0.01, crash: 0.05 },
    splitters: 1,
    volumesPerSplitter: 2,
    trouble: () => ({ workerDies: 0 }),
  },
  {
    name: 'clocks that are set, everything at once',
    faults: { ...hostile, clockJump: 0.05 },
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: sometimes,
  },
];

/** Disks are full for a while: calls are refused and repeated, and nothing is half-done. */
const FULL_MIXES: readonly Mix[] = [
  {
    name: 'disks are full now and then',
    faults: { ...hostile, full: 0.05 },
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: sometimes,
  },
  {
    name: 'disks are full, and the replica site comes back older',
    faults: { ...hostile, crash: 0.02, full: 0.05, sitePutBack: 0.05 },
    splitters: 1,
    volumesPerSplitter: 3,
    trouble: sometimes,
  },
];

/** Folders come back older, or empty: the two ends notice, and resend what differs. */
const PUT_BACK_MIXES: readonly Mix[] = [
  {
    name: 'the replica site comes back older',
    faults: { ...hostile, crash: 0.02, sitePutBack: 0.05 },
    splitters: 1,
    volumesPerSplitter: 3,
    trouble: sometimes,
  },
  {
    name: 'the replica site comes back older, two splitters',
    faults: { ...hostile, crash: 0.02, sitePutBack: 0.05 },
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: sometimes,
  },
  {
    name: 'splitters come back older',
    faults: { ...hostile, crash: 0.02, splitterPutBack: 0.05 },
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: sometimes,
  },
  {
    name: 'everything comes back older',
    faults: { ...hostile, crash: 0.02, sitePutBack: 0.05, splitterPutBack: 0.05 },
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: sometimes,
  },
];

/**
 * Splitters' folders are lost: a person has the disks recovered, and guests get errors until then.
 */
const LOST_MIXES: readonly Mix[] = [
  {
    name: 'splitters lose their folders',
    faults: { ...hostile, crash: 0.03, splitterLost: 0.8 },
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: sometimes,
  },
  {
    name: 'splitters lose their folders, disks are full now and then',
    faults: { ...hostile, crash: 0.03, splitterLost: 0.8, full: 0.03 },
    splitters: 1,
    volumesPerSplitter: 3,
    trouble: sometimes,
  },
];

interface Outcome {
  readonly ends: readonly MoveEnd[];
  readonly points: { readonly checked: number; readonly full: number };
  readonly world: World;
}

async function run(seed: number, mix: Mix, moves: number): Promise<Outcome> {
  const world = new World(seed, { ...NO_FAULTS, ...mix.faults }, mix);
  world.start();
  const ends: MoveEnd[] = [];
  const targets: readonly GroupId[] = world.groups.map(({ group }) => group);
  const story = (async () => {
    await world.time.sleep(moves === 0 ? STORY_WITHOUT_MOVES_MS : 200);
    for (let i = 0; i < moves; i += 1) {
      const all = world.chance.hit(0.5);
      const first = world.chance.pick(world.volumes);
      const group = world.site.state.volume(first).group;
      const together = all
        ? world.volumes.filter((volume) => world.site.state.volume(volume).group === group)
        : [first];
      const to = world.chance.pick(targets.filter((target) => target !== group));
      ends.push(await runMove(world, `m${i}@seed${seed}`, together, to, mix.trouble(world)));
      await world.time.sleep(world.chance.between(0, 300));
    }
  })();
  let storyDone = false;
  void story.finally(() => {
    storyDone = true;
  });
  /** The first broken promise ends the run. */
  const watched: Error[] = [];
  const watch = (): void => {
    if (world.stopped) return;
    try {
      checkMarks(world);
      checkAttempts(world);
      checkReads(world);
    } catch (error) {
      watched.push(error instanceof Error ? error : new Error('the check failed', { cause: error }));
    }
    world.time.after(world.chance.between(5, 60), watch);
  };
  watch();
  expect(
    await world.time.runUntil(() => storyDone || watched.length > 0, 40 * 60_000),
    `seed ${seed}: the moves end`,
  ).toBe(true);
  for (const error of watched) throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
  const { confirmCuts, compareEnds, proveSources } = world.faults;
  world.faults = { ...NO_FAULTS, confirmCuts, compareEnds, proveSources };
  world.guestRuns = false;
  const quiet = await world.time.runUntilAsked(
    () => world.acknowledged === world.history.length && isQuiet(world),
    100,
    QUIET_LIMIT_MS,
  );
  if (!quiet) {
    try {
      checkQuiet(world);
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
    }
  }
  expect(quiet, `seed ${seed}: the guest is served`).toBe(true);
  for (const error of watched) throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
  let points;
  try {
    checkAttempts(world);
    checkOwners(world);
    checkTimeline(world);
    // A guest's disk that was put back has no single history to compare a point with.
    if (world.splittersPutBack + world.splittersLost > 0) points = { checked: 0, full: 0 };
    else {
      points = checkPoints(world);
      checkLineages(world);
      // Holes and points carry times of clocks that were set.
      if (mix.faults.clockJump === undefined) checkHoles(world);
    }
  } catch (error) {
    throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
  }
  world.stopped = true;
  return { ends, points, world };
}

describe('moves under seeded simulation', () => {
  it('moves and moves back without a fault: nothing is sent again, no hole, the guest never waits', async () => {
    const mix: Mix = {
      name: 'calm',
      faults: {},
      splitters: 1,
      volumesPerSplitter: 3,
      trouble: () => ({ workerDies: 0 }),
    };
    const { ends, points, world } = await run(FIRST_SEED, mix, 6);
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

  for (const mix of [...MIXES, ...PUT_BACK_MIXES, ...LOST_MIXES, ...FULL_MIXES]) {
    it(
      `keeps every promise: ${mix.name} (seeds ${FIRST_SEED} to ${FIRST_SEED + SEEDS - 1})`,
      { timeout: 600_000 },
      async () => {
        const kinds = new Map<string, number>();
        let putBack = 0;
        let lost = 0;
        for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
          const { ends, world } = await run(seed, mix, 4);
          putBack += world.sitesPutBack + world.splittersPutBack;
          lost += world.splittersLost;
          expect(world.reads, 'reads').toBeGreaterThan(0);
          for (const end of ends) {
            const kind = end.kind === 'failed' ? `failed: ${end.code}` : end.kind;
            kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
          }
        }
        expect(kinds.get('moved') ?? 0, `outcomes ${JSON.stringify([...kinds])}`).toBeGreaterThan(0);
        // A few runs may put nothing back by chance; forty don't.
        if (PUT_BACK_MIXES.includes(mix) && SEEDS >= 40) expect(putBack).toBeGreaterThan(0);
        if (LOST_MIXES.includes(mix) && SEEDS >= 40) expect(lost).toBeGreaterThan(0);
        if (process.env['VOLUME_MOVER_SEEDS'] !== undefined) console.info(mix.name, [...kinds], { putBack, lost });
      },
    );
  }

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
        run(seed, mix, 1).then(
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
        run(seed, mix, 0).then(
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
      run(seed, mix, 0).then(
        () => false,
        (error: unknown) => /the guest read 0 from block/.test(String(error)),
      );
    let seed = 1;
    while (seed <= 20 && !(await findsMisread(seed))) seed += 1;
    expect(seed, 'a seed with a blank disk').toBeLessThanOrEqual(20);
  });

  it('lets a fence lapse and delivers the backlog when the orchestrator is gone for good', async () => {
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
    }
  });
});
