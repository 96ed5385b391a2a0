// `moves`: how many moves a second, beside a workflow that makes Temporal do the same work and does
// nothing else: five no-op activities.
import { bytes, duration } from '../../client/text/format.js';
import { atLeast, type Bench, type BenchResult, type BenchRun, type Goal } from '../bench.js';
import { medianOf, spreadOf } from '../statistics.js';
import { type Batch, measureBatch } from './batch.js';
import { VOLUME_MIB, VOLUMES } from './bench-estate.js';
import { openStand, type Stand } from './stand.js';

const CONCURRENCIES = [1, 50, 200] as const;
type Concurrency = (typeof CONCURRENCIES)[number];
/**
 * How many workflows make one measurement: several times the concurrency, or long enough to time.
 */
const WORKFLOWS: Readonly<Record<Concurrency, number>> = { 1: 20, 50: 150, 200: 400 };
/**
 * The CPU time of a move goes on falling for some 200 of them, until what runs often is compiled,
 * in six processes.
 */
const WARM_UP = { concurrency: 20, count: 200 };
const REPETITIONS = 3;
const GOAL = 0.8;
const STRETCH = 0.9;
/** At one at a time a move waits for its own calls: there is no goal for it. */
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
  const stand = await openStand(options);
  try {
    for (const work of [stand.move, stand.noop]) await measureBatch(stand, work, WARM_UP);
    const runs: Measured[] = [];
    for (let repetition = 1; repetition <= options.repetitions; repetition += 1) {
      for (const concurrency of CONCURRENCIES)
        runs.push(...(await measureBoth(stand, concurrency, repetition, options)));
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
      versions: { 'Temporal server': stand.server },
    };
  } finally {
    await stand.stop();
  }
}

/** Whoever goes first changes from repetition to repetition. */
async function measureBoth(
  stand: Stand,
  concurrency: Concurrency,
  repetition: number,
  { say }: BenchRun,
): Promise<Measured[]> {
  const both = [
    { subject: MOVES, work: stand.move },
    { subject: PEER, work: stand.noop },
  ];
  const measured: Measured[] = [];
  for (const { subject, work } of repetition % 2 === 1 ? both : both.toReversed()) {
    const batch = await measureBatch(stand, work, { concurrency, count: WORKFLOWS[concurrency] });
    say(
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
  'the peer runs on the same server, by a worker process of its own with the same worker options; both workers and the whole estate run all the time',
  'both are started one by one through Temporal’s client and awaited by their result; the moves through the SDK client',
  'the dev server keeps its state in memory, with eager activities, as `npm run demo` starts it',
  'CPU each: CPU time of all processes, by process in ms, the driver included',
];

const NOT_MEASURED = [
  'moves under guest load: the time to drain a backlog is the link’s, not the orchestrator’s (the demo reports a move under load)',
  'a server with a database, several workers, several hosts',
  'moves of several volumes at one cut, failing moves, batches',
];
