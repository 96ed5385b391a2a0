// `batch`: whether a batch of many volumes runs as fast as a small one, with small memory and
// history.
import { WORKER_ID } from '../../estate/launch.js';
import { atLeast, atMost, type Bench, type BenchResult, type BenchRun, type Goal } from '../bench.js';
import { medianOf } from '../statistics.js';
import { idleTable } from './idle-table.js';
import { type Direction, type Measured, measureMoves, measureNoops, REPETITION_FACTOR_MAX, warmUp } from './measure.js';
import { growthOf } from './memory.js';
import { conditions, memoryTable, NOT_MEASURED, parentTable, rateTable } from './report.js';
import type { Pair, Size } from './size.js';
import { openTestbed, type Testbed } from './testbed.js';

const VOLUMES: readonly number[] = [1_000, 10_000];
/** Repetitions; one takes the better part of an hour. */
const REPETITIONS = 1;
const SCALING_GOAL = 0.95;
/** Largest growth of the worker's memory: garbage not yet collected varies by some percent. */
const GROWTH_GOAL = 1.1;
/** Most events of a run: the server suggests a new run at 4,096. */
const EVENTS_GOAL = 4_095;

export const batch: Bench = {
  name: 'batch',
  summary:
    'a batch over 1,000 and 10,000 volumes beside as many workflows of five no-op activities: rate, memory, history',
  repetitions: REPETITIONS,
  run,
};

async function run(options: BenchRun): Promise<BenchResult> {
  const volumes = options.volumes ?? VOLUMES;
  const sizes: Size[] = [];
  let server = 'unknown';
  for (const count of volumes) {
    options.print(`Starting an estate of ${count} volumes.`);
    const testbed = await openTestbed(count, options);
    try {
      ({ server } = testbed);
      const repetitions = options.repetitions * repetitionFactor(count, Math.max(...volumes));
      sizes.push(await measureSize(testbed, count, { ...options, repetitions }));
    } finally {
      await testbed.stop();
    }
  }
  return {
    goals: goalsOf(sizes),
    stretch: [],
    table: rateTable(sizes),
    furtherTables: [parentTable(sizes), memoryTable(sizes), idleTable(sizes)],
    raw: { sizes },
    conditions: conditions(volumes),
    notMeasured: NOT_MEASURED,
    versions: { 'Temporal server': server },
  };
}

function repetitionFactor(volumes: number, largest: number): number {
  return Math.min(REPETITION_FACTOR_MAX, Math.floor(largest / volumes));
}

async function measureSize(testbed: Testbed, volumes: number, { repetitions, print }: BenchRun): Promise<Size> {
  print(`Warming up with ${testbed.warmUpVolumes} moves and no-op workflows.`);
  await warmUp(testbed);
  const pairs: Pair[] = [];
  for (let repetition = 1; repetition <= repetitions; repetition += 1) {
    const both = await measureBoth(testbed, volumes, repetition % 2 === 1 ? 'there' : 'back');
    pairs.push({ volumes, repetition, ...both });
    const line = (name: string, { perSecond, othersCores }: Measured): void =>
      print(`${repetition}. ${name} of ${volumes}: ${perSecond.toFixed(1)}/s; others ${othersCores.toFixed(2)} cores`);
    line('batch', both.batch);
    line('no-op workflows', both.noops);
  }
  return { volumes, idle: testbed.idle, pairs };
}

/** Measures both; which one goes first alternates between repetitions. */
async function measureBoth(
  testbed: Testbed,
  volumes: number,
  direction: Direction,
): Promise<Pick<Pair, 'batch' | 'noops'>> {
  if (direction === 'there') {
    const ours = await measureMoves(testbed, volumes, direction);
    return { batch: ours, noops: await measureNoops(testbed, volumes) };
  }
  const noops = await measureNoops(testbed, volumes);
  return { batch: await measureMoves(testbed, volumes, direction), noops };
}

function goalsOf(sizes: readonly Size[]): Goal[] {
  const all = sizes.flatMap(({ pairs }) => pairs);
  const growth = sizes.at(-1)?.pairs.flatMap(({ batch: ours }) => growthOf(ours.memory[WORKER_ID] ?? []) ?? []) ?? [];
  const largest = sizes.at(-1)?.volumes;
  return [
    ...scalingGoals(sizes),
    // A run too short for quarters says nothing about memory: it misses the goal.
    atMost(
      `worker’s memory, last quarter ÷ second quarter, ${largest} volumes`,
      growth.length === 0 ? Number.POSITIVE_INFINITY : medianOf(growth),
      GROWTH_GOAL,
    ),
    atMost(
      'events of the longest parent run',
      Math.max(...all.flatMap(({ batch: ours }) => ours.parentRuns.map(({ events }) => events))),
      EVENTS_GOAL,
    ),
    atMost(
      'moves that did not succeed',
      all.reduce((sum, { volumes, batch: ours }) => sum + volumes - ours.counts.moved, 0),
      0,
    ),
  ];
}

/** Goals for the rate of each larger size against the smallest. */
function scalingGoals([smallest, ...larger]: readonly Size[]): Goal[] {
  if (smallest === undefined) return [];
  return larger.map((size) => {
    const ours = rateOf(size, 'batch') / rateOf(smallest, 'batch');
    const peers = rateOf(size, 'noops') / rateOf(smallest, 'noops');
    const ratio = `${size.volumes} ÷ ${smallest.volumes}`;
    return atLeast(`rate at ${ratio} volumes: batch ÷ no-op workflows`, ours / peers, SCALING_GOAL);
  });
}

function rateOf({ pairs }: Size, subject: 'batch' | 'noops'): number {
  return medianOf(pairs.map((pair) => pair[subject].perSecond));
}
