// `npm run bench -- <name> [--json]`: runs one benchmark; without a name it lists them. Exit code 0
// when every goal is met.
import { Command, InvalidArgumentError } from 'commander';
import { batch } from './batch/batch.js';
import { idle } from './batch/idle.js';
import type { Bench } from './bench.js';
import { guestIo } from './guest-io/guest-io.js';
import { history } from './history/history.js';
import { moves } from './moves/moves.js';
import { type BenchReport, reportText } from './report-text.js';
import { runBench } from './run-bench.js';
import { zeroes } from './zeroes/zeroes.js';

const BENCHES: readonly Bench[] = [guestIo, moves, history, batch, idle, zeroes];
/** Most repetitions; more would take hours. */
const REPETITIONS_MAX = 100;
/** Most volumes on one splitter of an estate. */
const VOLUMES_MAX = 100_000;

interface Options {
  readonly json?: boolean;
  readonly repetitions?: number;
  readonly profile?: string;
  readonly volumes?: readonly number[];
}

const program = new Command('npm run bench --')
  .description('Measures the product and its peers, taking turns, on this machine.')
  .argument('[name]', 'which benchmark; without one they are listed')
  .option('--json', 'print nothing but one JSON object on standard output')
  .option('--repetitions <count>', 'how often product and peers are measured, taking turns', repetitionsOf)
  .option(
    '--profile <folder>',
    'write CPU profiles and counts of control calls of the product’s processes there; not used for goals',
  )
  .option('--volumes <sizes>', 'for batch and idle: numbers of volumes, ascending, e.g. 1000,10000', volumesOf)
  .parse();

process.exitCode = await main(program.args[0], program.opts<Options>());
// A stopped connection's leftovers must not keep the process alive.
process.exit();

async function main(
  name: string | undefined,
  { json = false, repetitions, profile, volumes }: Options,
): Promise<number> {
  if (name === undefined) {
    list(json);
    return 0;
  }
  const bench = BENCHES.find((candidate) => candidate.name === name);
  if (bench === undefined) {
    console.error(
      `There is no benchmark "${name}". The benchmarks are: ${BENCHES.map((known) => known.name).join(', ')}.`,
    );
    return 2;
  }
  try {
    const report = await runBench(bench, {
      repetitions: repetitions ?? bench.repetitions,
      profileFolder: profile,
      volumes,
      // Standard output carries only the report.
      print: (line) => console.error(line),
    });
    print(report, json);
    return report.goals.every(({ met }) => met) ? 0 : 1;
  } catch (error) {
    console.error(`The benchmark failed: ${error instanceof Error ? error.message : String(error)}`);
    return 2;
  }
}

function print(report: BenchReport, json: boolean): void {
  console.log(json ? JSON.stringify(report) : reportText(report));
}

function list(json: boolean): void {
  if (json) {
    console.log(JSON.stringify({ benches: BENCHES.map(({ name, summary }) => ({ name, summary })), goals: [] }));
    return;
  }
  console.log('Benchmarks; run one with `npm run bench -- <name>`:');
  for (const { name, summary } of BENCHES) console.log(`  ${name}: ${summary}`);
}

function repetitionsOf(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= REPETITIONS_MAX) return count;
  throw new InvalidArgumentError(`A whole number from 1 to ${REPETITIONS_MAX} is accepted.`);
}

function volumesOf(text: string): number[] {
  const sizes = text.split(',').map(Number);
  const isAscending = sizes.every((size, i) => size > (sizes[i - 1] ?? 0));
  if (isAscending && sizes.every((size) => Number.isInteger(size) && size <= VOLUMES_MAX)) return sizes;
  throw new InvalidArgumentError(
    `Whole numbers from 1 to ${VOLUMES_MAX} are accepted, ascending and separated by commas.`,
  );
}
