// One seed's run: the estate, a guest that writes, moves one after another, and all checks.
import { groupIdSchema } from '../../contracts/ids.js';
import type { Told } from './assertions/endings.js';
import { judge, whyNotSettled } from './assertions/judge.js';
import { FenceWatch } from './assertions/liveness.js';
import {
  checkAttempts,
  checkHoles,
  checkLineages,
  checkMarks,
  checkOwners,
  checkPoints,
  checkReads,
  checkTimeline,
} from './checker.js';
import { visitOfDoctor } from './doctor.js';
import type { Mix } from './mixes.js';
import type { MoveEnd } from './orchestrator.js';
import { tellEpilogue, tellStory } from './story.js';
import { Chance } from './virtual-time.js';
import { NO_FAULTS, World } from './world.js';

/** Length of a run without moves, in ms of virtual time. */
const STORY_WITHOUT_MOVES_MS = 5_000;
/** Longest virtual time until the moves of a run have ended, in ms. */
const STORY_LIMIT_MS = 5 * 60_000;
/** Longest virtual time from the last fault until a run is quiet, in ms. */
export const QUIET_LIMIT_MS = 60_000;

/** How often a doctor comes once a run is quiet. */
const DOCTOR_COMES = 0.5;
/** Longest virtual time of the last moves, when nothing disturbs any more, in ms. */
const EPILOGUE_LIMIT_MS = 30_000;
/** The group that all volumes are in at first. */
const FIRST_GROUP = groupIdSchema.parse('g1');

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
  given: Mix,
  seed: number,
  moves: number,
  onWorld?: (world: World) => void,
): Promise<SeedRun> {
  const mix: Mix = { ...given, ...given.drawn?.(seed) };
  const world = new World(seed, { ...NO_FAULTS, ...mix.faults }, mix);
  onWorld?.(world);
  world.start();
  let told: Told[] = [];
  const story = (async () => {
    await world.time.sleep(moves === 0 ? STORY_WITHOUT_MOVES_MS : 200);
    told = await tellStory(world, seed, moves, {
      crossing: mix.crossing ?? 0,
      lingerMs: mix.lingerMs ?? 0,
      reverses: mix.reverses ?? false,
      trouble: mix.trouble,
    });
  })();
  let storyDone = false;
  void story.finally(() => {
    storyDone = true;
  });
  const fences = new FenceWatch();
  const { crash, full, slow } = world.faults;
  const neverFails = crash + full + slow === 0 && mix.aims !== true;
  /** The first broken promise ends the run. */
  const watched: Error[] = [];
  /** The rows that the last look saw: the same ones are right again. */
  let seen = 0;
  const watch = (): void => {
    if (world.stopped) return;
    try {
      checkMarks(world);
      if (world.site.version !== seen) checkAttempts(world);
      seen = world.site.version;
      checkReads(world);
      if (world.witness.broken !== undefined) throw new Error(world.witness.broken);
      if (neverFails) fences.look(world);
    } catch (error) {
      watched.push(error instanceof Error ? error : new Error('the check failed', { cause: error }));
    }
    world.time.quietly(world.chance.between(5, 60), watch);
  };
  watch();
  const ended = await world.time.runUntil(() => storyDone || watched.length > 0, STORY_LIMIT_MS);
  if (!ended) throw new Error(`seed ${seed}: the moves do not end`);
  for (const error of watched) throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
  const { confirmCuts, compareEnds, proveSources } = world.faults;
  world.faults = { ...NO_FAULTS, confirmCuts, compareEnds, proveSources };
  world.aims.clear();
  await settles(world, seed, 'in nobody’s way', watched);
  // All moves have ended: whatever is left belongs to one that is gone.
  if (moves > 0 && new Chance(seed ^ 0xd0c7).hit(DOCTOR_COMES)) await healed(world, seed, watched);
  if (moves > 0) {
    let epilogueDone = false;
    world.guestRuns = true;
    const epilogue = tellEpilogue(world, seed)
      .catch((error: unknown) => void watched.push(error instanceof Error ? error : new Error(String(error))))
      .finally(() => {
        epilogueDone = true;
      });
    const isOver = await world.time.runUntil(() => epilogueDone || watched.length > 0, EPILOGUE_LIMIT_MS);
    if (!isOver) throw new Error(`seed ${seed}: in calm, the last moves do not end`);
    if (watched.length === 0) await epilogue;
    await settles(world, seed, 'none', watched);
  }
  let points;
  try {
    checkAttempts(world);
    checkOwners(world);
    checkTimeline(world);
    if (moves > 0) judge(world, told, FIRST_GROUP, mix.roomOf !== undefined);
    // A guest's disk that was put back has no single history to compare a point with.
    if (world.splittersPutBack + world.splittersLost > 0) points = { checked: 0, full: 0 };
    else {
      points = checkPoints(world);
      checkLineages(world);
      // Holes and points carry times of clocks that were set.
      if (world.time.wallShiftsMs.size === 0) checkHoles(world);
    }
  } catch (error) {
    throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
  }
  world.stopped = true;
  return { ends: told.map(({ end }) => end), points, world };
}

/**
 * Lets a doctor come. After it nothing at all is left: no open attempt, though it be in nobody's
 * way.
 * @throws Error if something is, or a promise is broken meanwhile
 */
async function healed(world: World, seed: number, watched: readonly Error[]): Promise<void> {
  let isHealed: boolean | undefined;
  void visitOfDoctor(world, () => true).then((nothingLeft) => (isHealed = nothingLeft));
  await world.time.runUntil(() => isHealed !== undefined || watched.length > 0, QUIET_LIMIT_MS);
  if (isHealed !== true && watched.length === 0) throw new Error(`seed ${seed}: a doctor leaves something behind`);
  await settles(world, seed, 'none', watched);
}

/**
 * Lets a run come to rest, with the guest stopped.
 * @throws Error if it does not within a minute, or a promise is broken meanwhile
 */
async function settles(
  world: World,
  seed: number,
  openAttempts: 'none' | 'in nobody’s way',
  watched: readonly Error[],
): Promise<void> {
  world.guestRuns = false;
  let why: string | undefined;
  const isSettled = (): boolean => {
    why = whyNotSettled(world, openAttempts);
    return why === undefined || watched.length > 0;
  };
  await world.time.runUntilAsked(isSettled, 100, QUIET_LIMIT_MS);
  for (const error of watched) throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
  if (why !== undefined) throw new Error(`seed ${seed}: ${why}`);
}
