// Mixes that aim at the protocol: at each control call, at ends of leases, holds and windows, at
// moves across each other, and at what outlives a move.
import type { GroupId } from '../../contracts/ids.js';
import { drawAim } from './aims.js';
import type { Mix } from './mix.js';
import type { Trouble } from './orchestrator.js';
import { Chance } from './virtual-time.js';
import type { Faults, World } from './world.js';

const HOUR_MS = 3_600_000;
/** Ages of a run: a second counts as an hour. */
const AGES_FASTER = 3_600;
/** Longest pause until the replica site joins by itself, with what may delay it, in ms. */
const SITE_JOINS_WITHIN_MS = 33_000;

const lossy = { loss: 0.02, duplicate: 0.08, delayMsMax: 12 };

const calm = (): Trouble => ({ workerDies: 0 });

/** One or two faults aimed at calls of the move. */
function aimed({ chance }: World): Trouble {
  const aims = chance.hit(0.4) ? [drawAim(chance), drawAim(chance)] : [drawAim(chance)];
  return { workerDies: 0, aims };
}

function reset(world: World): Trouble {
  const { chance } = world;
  const workerDies = chance.hit(0.3) ? 0.1 : 0;
  if (chance.hit(0.3)) return { workerDies };
  return { workerDies, reset: { afterMs: chance.between(0, 900), keep: chance.below(6) } };
}

function limited({ chance, time }: World): Trouble {
  const deadline = chance.hit(0.5) ? { attemptDeadlineMs: 1_000 + chance.below(2_000) } : {};
  const window = chance.hit(0.4) ? { fenceByMs: time.nowMs + chance.below(150) } : {};
  return { workerDies: 0, options: { ...deadline, ...window } };
}

/**
 * Movers that die right after the commit, more often than not: nobody but the site asks for the
 * "joined" bookmark.
 */
function diesAtCommit({ chance }: World): Trouble {
  if (chance.hit(0.4)) return { workerDies: 0 };
  const call = chance.pick(['adopt', 'learn', 'join'] as const);
  return { workerDies: 0, aims: [{ call, side: 'after', kind: 'gone', skip: 0 }] };
}

/** A mover that sleeps behind its fence while nobody can give a verdict. */
function lapsing({ chance }: World): Trouble {
  const call = chance.pick(['drain', 'seal', 'bookmark'] as const);
  return {
    workerDies: 0,
    aims: [
      { call, side: 'before', kind: 'outage', skip: 0 },
      { call, side: 'before', kind: 'delay', skip: 0 },
    ],
  };
}

function kept(world: World): Trouble {
  const { chance } = world;
  const share = chance.next();
  const keepLeft = share < 0.2 ? ('forever' as const) : { forMs: Math.ceil(chance.between(HOUR_MS, 20 * HOUR_MS)) };
  const fate = chance.below(6);
  const end =
    fate === 0
      ? { cancelAfterMs: chance.between(0, 600) }
      : fate === 1
        ? { terminateAfterMs: chance.between(0, 600) }
        : {};
  // A move that sleeps behind its fence needs positions and points for longer than the policy does.
  const sleeps = {
    call: chance.pick(['seal', 'bookmark', 'adopt'] as const),
    side: 'before',
    kind: 'delay',
    skip: 0,
  } as const;
  return {
    workerDies: 0.05,
    ...end,
    ...(chance.hit(0.4) ? { aims: [sleeps] } : {}),
    ...(share < 0.6 ? { options: { keepLeft } } : {}),
  };
}

/** Moves that can be reversed, most of them, for up to some hours of age. */
function reversible(world: World): Trouble {
  const { chance } = world;
  const { options, ...fate } = chance.hit(0.3) ? kept(world) : calm();
  if (chance.hit(0.2)) return options === undefined ? fate : { ...fate, options };
  return { ...fate, options: { ...options, reversibleForMs: Math.ceil(chance.between(HOUR_MS / 2, 6 * HOUR_MS)) } };
}

export const PROTOCOL_MIXES: readonly Mix[] = [
  {
    name: 'faults aimed at calls',
    faults: { delayMsMax: 6 },
    splitters: 1,
    volumesPerSplitter: 3,
    aims: true,
    trouble: aimed,
  },
  {
    name: 'faults aimed at calls, three splitters, lossy network',
    faults: { ...lossy, breakStream: 0.01 },
    splitters: 3,
    volumesPerSplitter: 1,
    aims: true,
    trouble: aimed,
  },
  {
    name: 'moves across each other, small groups',
    faults: { ...lossy, stall: 0.002 },
    splitters: 2,
    volumesPerSplitter: 2,
    roomOf: (group) => (group === 'g2' ? 2 : 64),
    crossing: 0.6,
    trouble: ({ chance }) => ({ workerDies: chance.hit(0.3) ? 0.1 : 0 }),
  },
  {
    name: 'fences that lapse while nobody gives a verdict',
    faults: { delayMsMax: 8 },
    splitters: 2,
    volumesPerSplitter: 1,
    aims: true,
    trouble: lapsing,
  },
  {
    name: 'workflows that are reset',
    faults: lossy,
    splitters: 2,
    volumesPerSplitter: 2,
    crossing: 0.2,
    trouble: reset,
  },
  {
    name: 'deadlines, windows and slow calls',
    faults: { delayMsMax: 8, slow: 0.03, stall: 0.01 },
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: limited,
  },
  {
    name: 'windows only',
    faults: { delayMsMax: 8 },
    splitters: 1,
    volumesPerSplitter: 2,
    trouble: limited,
  },
  {
    name: 'movers that die at the commit, and nobody comes',
    faults: lossy,
    splitters: 1,
    volumesPerSplitter: 2,
    lingerMs: SITE_JOINS_WITHIN_MS,
    aims: true,
    trouble: diesAtCommit,
  },
  {
    name: 'retention',
    faults: { ...lossy, stall: 0.003, breakStream: 0.01, crash: 0.015 },
    splitters: 1,
    volumesPerSplitter: 3,
    agesFaster: AGES_FASTER,
    aims: true,
    retention: {
      keepAllMs: HOUR_MS / 2,
      hourlyMs: 3 * HOUR_MS,
      dailyMs: 3 * HOUR_MS,
      weeklyMs: 3 * HOUR_MS,
    },
    trouble: kept,
  },
  {
    name: 'retention in a small journal',
    faults: { ...lossy, breakStream: 0.01 },
    splitters: 2,
    volumesPerSplitter: 2,
    agesFaster: AGES_FASTER,
    aims: true,
    retention: {
      keepAllMs: 4 * HOUR_MS,
      hourlyMs: 8 * HOUR_MS,
      dailyMs: 8 * HOUR_MS,
      weeklyMs: 8 * HOUR_MS,
      journalBytesMax: 1024 * 1024,
    },
    trouble: kept,
  },
  {
    name: 'moves that can be reversed',
    faults: { delayMsMax: 8 },
    splitters: 1,
    volumesPerSplitter: 3,
    agesFaster: AGES_FASTER,
    roomOf: (group) => (group === 'g2' ? 2 : 64),
    reverses: true,
    retention: { keepAllMs: HOUR_MS / 2, hourlyMs: 3 * HOUR_MS, dailyMs: 3 * HOUR_MS, weeklyMs: 3 * HOUR_MS },
    trouble: reversible,
  },
  {
    name: 'moves that can be reversed, across each other, in small journals',
    faults: { ...lossy, breakStream: 0.01, crash: 0.01, stall: 0.002 },
    splitters: 2,
    volumesPerSplitter: 2,
    agesFaster: AGES_FASTER,
    roomOf: (group) => (group === 'g1' ? 4 : 2),
    reverses: true,
    crossing: 0.3,
    aims: true,
    retention: {
      keepAllMs: 4 * HOUR_MS,
      hourlyMs: 8 * HOUR_MS,
      dailyMs: 8 * HOUR_MS,
      weeklyMs: 8 * HOUR_MS,
      journalBytesMax: 1024 * 1024,
    },
    trouble: reversible,
  },
  {
    name: 'failed writes, zeroes, late syncs and paused groups',
    faults: { ...lossy, breakStream: 0.01, crash: 0.04, zeroes: 0.2, failedWrite: 0.02, syncMsMax: 150, pause: 0.01 },
    splitters: 1,
    volumesPerSplitter: 3,
    trouble: ({ chance }) => ({ workerDies: chance.hit(0.3) ? 0.1 : 0 }),
  },
  {
    name: 'hasty movers',
    faults: { ...lossy, hasty: 0.5, syncMsMax: 10, stall: 0.01, crash: 0.003 },
    splitters: 2,
    volumesPerSplitter: 1,
    trouble: ({ chance }) => ({ workerDies: chance.hit(0.5) ? 0.15 : 0 }),
  },
  {
    name: 'a swarm: each seed draws its faults',
    faults: {},
    splitters: 1,
    volumesPerSplitter: 1,
    aims: true,
    trouble: calm,
    drawn: drawMix,
  },
];

/** Faults that a seed draws, each with its strongest chance. */
const DRAWN: readonly (readonly [keyof Faults, number])[] = [
  ['loss', 0.06],
  ['duplicate', 0.15],
  ['stall', 0.01],
  ['breakStream', 0.04],
  ['crash', 0.02],
  ['clockJump', 0.03],
  ['full', 0.03],
  ['slow', 0.01],
  ['syncMsMax', 60],
  ['zeroes', 0.3],
  ['failedWrite', 0.02],
  ['pause', 0.02],
];

/** Draws faults, size and story from the seed: some faults off, so that others get their way. */
function drawMix(seed: number): Partial<Mix> {
  const chance = new Chance(seed ^ 0x5eed);
  const faults: Record<string, number> = { delayMsMax: chance.between(1, 20) };
  for (const [name, strongest] of DRAWN) if (chance.hit(0.35)) faults[name] = chance.between(0, strongest);
  const putBack = chance.below(8);
  if (putBack === 0) faults['sitePutBack'] = 0.03;
  if (putBack === 1) faults['splitterPutBack'] = 0.03;
  const stories = [calm, aimed, reset, limited, kept] as const;
  const small = chance.hit(0.3) ? { roomOf: (group: GroupId) => (group === 'g3' ? 3 : 64) } : {};
  const aging = chance.hit(0.3)
    ? {
        agesFaster: AGES_FASTER,
        retention: { keepAllMs: HOUR_MS, hourlyMs: 4 * HOUR_MS, dailyMs: 4 * HOUR_MS, weeklyMs: 4 * HOUR_MS },
      }
    : {};
  return {
    faults,
    splitters: 1 + chance.below(3),
    volumesPerSplitter: 1 + chance.below(2),
    crossing: chance.hit(0.4) ? 0.5 : 0,
    trouble: (world) => world.chance.pick(stories)(world),
    ...small,
    ...aging,
  };
}
