// One seed's run: the estate, a guest that writes, moves one after another, and all checks.
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
import type { Mix } from './mixes.js';
import { runMove, type MoveEnd } from './orchestrator.js';
import { NO_FAULTS, World } from './world.js';

/** Length of a run without moves, in ms of virtual time. */
const STORY_WITHOUT_MOVES_MS = 5_000;
/** Longest virtual time until the moves of a run have ended, in ms. */
const STORY_LIMIT_MS = 40 * 60_000;
/** Longest virtual time from the last fault until a run is quiet, in ms. */
export const QUIET_LIMIT_MS = 60_000;

/** What a run that kept every promise shows. */
export interface SeedRun {
  readonly ends: readonly MoveEnd[];
  readonly points: { readonly checked: number; readonly full: number };
  readonly world: World;
}

/**
 * Runs one seed under a mix, to its quiet end.
 * @param moves 0 lets the estate run without one
 * @param onWorld is called with the world before it starts
 * @throws Error that begins with the seed, at the first broken promise
 */
export async function runSeed(
  mix: Mix,
  seed: number,
  moves: number,
  onWorld?: (world: World) => void,
): Promise<SeedRun> {
  const world = new World(seed, { ...NO_FAULTS, ...mix.faults }, mix);
  onWorld?.(world);
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
  const ended = await world.time.runUntil(() => storyDone || watched.length > 0, STORY_LIMIT_MS);
  if (!ended) throw new Error(`seed ${seed}: the moves do not end`);
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
    throw new Error(`seed ${seed}: the guest is not served`);
  }
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
