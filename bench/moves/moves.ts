// `moves`: moves a second, beside a workflow that makes Temporal do the same work and nothing else:
// five no-op activities.
import { bytes, duration } from '../../client/text/format.js';
import { atLeast, type Bench, type BenchResult, type BenchRun, type Goal } from '../bench.js';
import { medianOf, spreadOf } from '../statistics.js';
import { type Batch, measureBatch } from './batch.js';
import { VOLUME_MIB, VOLUMES } from './bench-estate.js';
import { openTestbed, type Testbed } from './testbed.js';

const CONCURRENCIES = [1, 50, 200] as const;
type Concurrency = (typeof CONCURRENCIES)[number];
/** Workflows of one measurement: several times the concurrency, or enough to be timed. */
const WORKFLOWS: Readonly<Record<Concurrency, number>> = { 1: 20, 50: 150, 200: 400 };
/**
 * Warm-up: a move's CPU time falls for some 200 moves, until six processes' hot paths are compiled.
 */
const WARM_UP = { concurrency: 20, count: 200 };
const REPETITIONS = 3;
const GOAL = 0.8;
const STRETCH = 0.9;
/** Concurrencies with a goal. A single move mostly waits for its own calls, so it has none. */
const JUDGED: readonly Concurrency[] = [50, 200];

const MOVES = 'moves';
const PEER = 'five no-op activities';

interface Measured extends Batch {
  readonly subject: string;
  readonly concurrency: Concurrency;
  readonly repetition: number;
}

export const moves: Bench = {
  name: 'moves',
  summary: 'moves a second at concurrency 1, 50 and 200, beside a workflow of five no-op activities on the same server',
  repetitions: REPETITIONS,
  run,
};

async function run(options: BenchRun): Promise<BenchResult> {
  const testbed = await openTestbed(options);
  try {
    for (const work of [testbed.move, testbed.noop]) await measureBatch(testbed, work, WARM_UP);
    const runs: Measured[] = [];
    for (let repetition = 1; repetition <= options.repetitions; repetition += 1) {
      for (const concurrency of CONCURRENCIES)
        runs.push(...(await measureBoth(testbed, concurrency, repetition, options)));
    }
    return {
      goals: judge(runs, GOAL),
      stretch: judge(runs, STRETCH),
      table: {
        titles: TITLES,
        rows: CONCURRENCIES.flatMap((concurrency) => [MOVES, PEER].map((subject) => row(runs, subject, concurrency))),
      },
      raw: { runs },
      conditions: CONDITIONS,
      notMeasured: NOT_MEASURED,
      versions: { 'Temporal server': testbed.server },
    };
  } finally {
    await testbed.stop();
  }
}

/** Measures both; which one goes first alternates between repetitions. */
async function measureBoth(
  testbed: Testbed,
  concurrency: Concurrency,
  repetition: number,
  { print }: BenchRun,
): Promise<Measured[]> {
  const both = [
    { subject: MOVES, work: testbed.move },
    { subject: PEER, work: testbed.noop },
  ];
  const measured: Measured[] = [];
  for (const { subject, work } of repetition % 2 === 1 ? both : both.toReversed()) {
    const batch = await measureBatch(testbed, work, { concurrency, count: WORKFLOWS[concurrency] });
    print(
      `${repetition}. ${subject}, ${concurrency} at a time: ${batch.perSecond.toFixed(1)}/s; others ${batch.othersCores.toFixed(2)} cores`,
    );
    measured.push({ subject, concurrency, repetition, ...batch });
  }
  return measured;
}

function judge(runs: readonly Measured[], goal: number): Goal[] {
  return JUDGED.map((concurrency) => {
    const rate = (subject: string): number =>
      medianOf(select(runs, subject, concurrency).map(({ perSecond }) => perSecond));
    return atLeast(`moves ÷ five no-op activities, ${concurrency} at a time`, rate(MOVES) / rate(PEER), goal);
  });
}

function select(runs: readonly Measured[], subject: string, concurrency: Concurrency): Measured[] {
  return runs.filter((run) => run.subject === subject && run.concurrency === concurrency);
}

const TITLES = ['AT A TIME', 'WORKFLOW', 'PER SECOND', 'MIN–MAX', 'MEDIAN', 'WORST', 'CPU EACH', 'OF IT', 'OTHERS'];

function row(runs: readonly Measured[], subject: string, concurrency: Concurrency): string[] {
  const of = select(runs, subject, concurrency);
  const rate = spreadOf(of.map(({ perSecond }) => perSecond));
  const names = Object.keys(of[0]?.cpuMs ?? {});
  const cpu = names.map((name) => ({ name, ms: medianOf(of.map(({ cpuMs, count }) => (cpuMs[name] ?? 0) / count)) }));
  const shown = cpu.filter(({ ms }) => ms >= 0.5).map(({ name, ms }) => `${name} ${ms.toFixed(1)}`);
  return [
    `${concurrency}`,
    subject,
    rate.median.toFixed(1),
    `${rate.min.toFixed(1)}–${rate.max.toFixed(1)}`,
    duration(medianOf(of.map(({ medianMs }) => medianMs))),
    duration(medianOf(of.map(({ worstMs }) => worstMs))),
    `${cpu.reduce((sum, { ms }) => sum + ms, 0).toFixed(1)} ms`,
    shown.join(', '),
    `${medianOf(of.map(({ othersCores }) => othersCores)).toFixed(2)} cores`,
  ];
}

const CONDITIONS = [
  `${VOLUMES} volumes of ${bytes(VOLUME_MIB * 1024 * 1024)} on one splitter, in two groups on two appliances; each move takes one to the other group; nobody writes`,
  `workflows a measurement: ${CONCURRENCIES.map((concurrency) => `${WORKFLOWS[concurrency]} with ${concurrency} at a time`).join(', ')}; per second: their number divided by the time from the first start to the last end`,
  'the peer runs on the same server, in its own worker process with the same worker options; both workers and the whole estate run all the time',
  'both are started one by one through Temporal’s client and awaited by their result; the moves through the SDK client',
  'the dev server keeps its state in memory, with eager activities, as `npm run demo` starts it',
  'CPU each: CPU time of all processes, by process in ms, the driver included',
];

const NOT_MEASURED = [
  'moves under guest load: the time to drain a backlog is the link’s, not the orchestrator’s (the demo reports a move under load)',
  'a server with a database, several workers, several hosts',
  'moves of several volumes at one cut, failing moves, batches',
];
