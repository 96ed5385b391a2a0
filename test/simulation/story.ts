// The story of a run: which volumes move where and when, one after another or across each other,
// and one more move of each at the end, when nothing disturbs any more.
import type { GroupId, VolumeId } from '../../contracts/ids.js';
import type { MoveOptions } from '../../contracts/move.js';
import { finalizeMove, openWaysBack, type OpenWayBack } from '../../simulator/replica-site/core/ways-back.js';
import { checkEnded, checkWindow, type Told } from './assertions/endings.js';
import { checkReversed } from './assertions/ways-back.js';
import { visitOfDoctor } from './doctor.js';
import { runMove, type Trouble } from './orchestrator.js';
import { Chance } from './virtual-time.js';
import type { World } from './world.js';

/** Longest pause between two moves, in ms. */
const PAUSE_MS_MAX = 300;
/** How often a doctor comes after a move that was terminated, and how late at most, in ms. */
const DOCTOR_COMES = 0.5;
const DOCTOR_COMES_MS_MAX = 500;
/** Longest pause between two moves that begin nearly at once, in ms. */
const CROSSING_MS_MAX = 10;

export interface StoryPlan {
  /** Chance that a move starts while the one before is still under way. */
  readonly crossing: number;
  /** How long to wait after the first move now and then, with an idle guest, in ms. */
  readonly lingerMs: number;
  readonly trouble: (world: World) => Trouble;
  /** Whether a person reverses moves that can be reversed, or ends that, now and then. */
  readonly reverses: boolean;
}

/** A move of the story, before it begins. */
interface Choice {
  readonly volumes: readonly VolumeId[];
  readonly to: GroupId;
  /** The way back that it takes. */
  readonly back?: OpenWayBack;
}

/** Least time that is left of a way back when a person begins to take it, by the clock of ages. */
const LEFT_OF_WAY_MS_MIN = 60_000;

/** What a person does with an open way back: takes it, ends it, or neither. */
function chooseBack(world: World): Choice | undefined {
  const { chance, site } = world;
  const { ageMs } = world.siteMoment;
  const open = site.up ? openWaysBack(site.state, ageMs) : [];
  if (open.length === 0 || chance.hit(0.4)) return undefined;
  const back = chance.pick(open);
  if (chance.hit(0.2)) {
    if (site.full) return undefined;
    const { move } = back.record.attempt;
    site.call((state) => finalizeMove(state, { move, operator: 'somebody', reason: 'for this run' }, world.siteMoment));
    world.reaches('way back: finalized');
    return undefined;
  }
  if (back.wayBack.untilMs - ageMs < LEFT_OF_WAY_MS_MIN) return undefined;
  world.reaches('way back: taken');
  return { volumes: back.contents.volumes.map(({ volume }) => volume), to: back.contents.from, back };
}

/** Volumes of one group: one of them, some, or all; to another group. */
function chooseMove(world: World): Choice {
  const { chance, site } = world;
  const first = chance.pick(world.volumes);
  const { group } = site.state.volume(first);
  const members = world.volumes.filter((volume) => site.state.volume(volume).group === group);
  const share = chance.next();
  const volumes =
    share < 0.25 ? [first] : share < 0.6 ? members : members.filter((volume) => volume === first || chance.hit(0.5));
  return { volumes, to: chance.pick(world.groups.map((served) => served.group).filter((target) => target !== group)) };
}

/** Whether a move has a latest time for its fence, or a short deadline. */
function isLimited(chosen: Partial<MoveOptions> | undefined): boolean {
  return chosen?.fenceByMs !== undefined || chosen?.attemptDeadlineMs !== undefined;
}

/** Tells a story of some moves. Each is judged when it ends. */
export async function tellStory(world: World, seed: number, moves: number, plan: StoryPlan): Promise<Told[]> {
  const told: Told[] = [];
  const running = new Map<string, { readonly volumes: readonly VolumeId[]; crossed: boolean }>();
  const ended: Promise<void>[] = [];
  // Its own chance: what a seed does besides is the same with doctors and without.
  const chance = new Chance(seed ^ 0xd0c70);
  for (let i = 0; i < moves; i += 1) {
    const move = `m${i}@seed${seed}`;
    const { volumes, to, back } = (plan.reverses ? chooseBack(world) : undefined) ?? chooseMove(world);
    const trouble: Trouble = { ...plan.trouble(world), queue: i % 2 === 0 };
    const others = [...running.values()].filter((other) => other.volumes.some((volume) => volumes.includes(volume)));
    for (const other of others) other.crossed = true;
    if (others.length > 0) world.reaches('moves of one volume at the same time');
    const own = { volumes, crossed: others.length > 0 };
    running.set(move, own);
    const tell = async (): Promise<void> => {
      const end = await runMove(world, move, volumes, to, trouble);
      running.delete(move);
      const tale: Told = {
        move,
        volumes,
        end,
        crossed: own.crossed,
        reset: trouble.reset !== undefined,
        hasWindow: isLimited(trouble.options),
        fenceByMs: trouble.options?.fenceByMs,
        steered: trouble.steeredForMs !== undefined,
        reversible: trouble.options?.reversibleForMs !== undefined,
        back,
      };
      told.push(tale);
      if (end.kind === 'terminated' && chance.hit(DOCTOR_COMES)) {
        await world.time.sleep(chance.between(0, DOCTOR_COMES_MS_MAX));
        await visitOfDoctor(world, (other) => other === move);
      }
      try {
        checkEnded(world, tale);
        checkReversed(world, tale);
        const { loss, duplicate, slow, delayMsMax } = world.faults;
        if (loss + duplicate + slow === 0 && trouble.aims === undefined) checkWindow(world, tale, delayMsMax);
      } catch (error) {
        world.witness.break(error instanceof Error ? error.message : String(error));
      }
    };
    ended.push(tell());
    const isAlone = plan.crossing === 0 || !world.chance.hit(plan.crossing);
    if (isAlone) await Promise.all(ended);
    const lingers = i === 0 && plan.lingerMs > 0 && world.chance.hit(0.5);
    if (lingers) world.guestRuns = false;
    const pauseMs = isAlone || world.chance.hit(0.5) ? PAUSE_MS_MAX : CROSSING_MS_MAX;
    await world.time.sleep(lingers ? plan.lingerMs : world.chance.between(0, pauseMs));
    world.guestRuns = true;
  }
  await Promise.all(ended);
  return told;
}

/**
 * Moves every volume once more, in calm. What earlier moves left behind is in nobody's way.
 * @throws Error if one fails, or needs a second attempt
 */
export async function tellEpilogue(world: World, seed: number): Promise<Told[]> {
  const told: Told[] = [];
  const moved = new Set<VolumeId>();
  for (const [i, { group }] of world.groups.entries()) {
    const { state } = world.site;
    const volumes = state.membersOf(group).flatMap(({ volume }) => (moved.has(volume) ? [] : [volume]));
    const target = world.groups.find(
      (other) =>
        other.group !== group && state.memberCount(other.group) + volumes.length <= state.group(other.group).volumesMax,
    );
    if (volumes.length === 0 || target === undefined) continue;
    const move = `epilogue${i}@seed${seed}`;
    const end = await runMove(world, move, volumes, target.group, { workerDies: 0, queue: true });
    for (const volume of volumes) moved.add(volume);
    const tale: Told = {
      move,
      volumes,
      end,
      crossed: false,
      reset: false,
      hasWindow: false,
      steered: false,
      reversible: false,
    };
    checkEnded(world, tale);
    const what = end.kind === 'failed' ? `${end.code}: ${end.message}` : end.kind;
    if (end.kind !== 'moved')
      throw new Error(`in calm, ${move} of ${volumes.join()} to ${target.group} ended: ${what}`);
    if (end.report.attempt.n > 1)
      throw new Error(
        `in calm, ${move} needed ${end.report.attempt.n} attempts: ${JSON.stringify(end.report.abortedAttempts)}`,
      );
    told.push(tale);
  }
  return told;
}
