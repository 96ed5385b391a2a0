// `npm run simulate`: many runs of the simulation over worker processes, or one with a trace.
// Exit code 0 when every promise was kept, 1 when a run broke one.
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { counted } from '../../client/text/format.js';
import { factsOf } from './facts.js';
import { MIXES } from './mixes.js';
import { mixNamed, type Share } from './share.js';
import { jsonOf, replayCommand, reportOf, type Report } from './simulation-report.js';
import { Totals } from './totals.js';
import { traceWorld } from './trace.js';
import { runShare } from './workers.js';

const RUNS = 1_000;
/** Seeds begin below this when none is given. */
const SEED_LIMIT = 1_000_000;
/** Time between lines of progress, in ms. */
const PROGRESS_EVERY_MS = 5_000;
const EXIT_BROKEN = 1;

interface Options {
  readonly mix?: string;
  readonly seed?: number;
  readonly runs: number;
  readonly workers: number;
  readonly json?: boolean;
  readonly trace?: boolean;
}

const program = new Command('npm run simulate --')
  .description('Runs the simulation of moves under seeds. A broken seed is a bug report.')
  .option('--mix <name>', 'one mix of faults; without it every seed runs under all of them', mixOf)
  .option('--seed <number>', 'the first seed; without it one of chance', wholeNumber)
  .option('--runs <count>', 'how many runs: each seed in every mix, then the next seed', wholeNumber, RUNS)
  .option('--workers <count>', 'how many processes', wholeNumber, availableParallelism())
  .option('--json', 'print nothing but one JSON object on standard output')
  .option(
    '--trace',
    'the run of --mix and --seed, line by line: what was asked and answered, each fault and each change of a state',
  )
  .addHelpText('after', `\nMixes:\n${MIXES.map(({ name }) => `  ${name}`).join('\n')}`)
  .parse();

process.exitCode = await main(program.opts<Options>());

async function main({
  mix,
  seed = chosenSeed(),
  runs,
  workers,
  json = false,
  trace = false,
}: Options): Promise<number> {
  const share: Share = { mixes: mix === undefined ? MIXES.map(({ name }) => name) : [mix], firstSeed: seed, runs };
  return trace ? await traceOne(mix, seed) : await runAll(share, workers, json);
}

async function traceOne(mix: string | undefined, seed: number): Promise<number> {
  if (mix === undefined) {
    console.error('--trace needs --mix: the mixes are listed by --help.');
    return EXIT_BROKEN;
  }
  const facts = await factsOf(mixNamed(MIXES, mix), seed, (world) => traceWorld(world, (line) => console.log(line)));
  const ends = [...facts.moves].map(([kind, count]) => `${count} ${kind}`).join(', ');
  console.log(facts.broken === undefined ? `Kept every promise. Moves: ${ends}.` : `BROKEN: ${facts.broken}`);
  return facts.broken === undefined ? 0 : EXIT_BROKEN;
}

async function runAll(share: Share, workers: number, json: boolean): Promise<number> {
  const startedAtMs = performance.now();
  const all = new Totals();
  const byMix = new Map(share.mixes.map((name) => [name, new Totals()]));
  const elapsedMs = (): number => performance.now() - startedAtMs;
  const progress = setInterval(() => {
    const perSecond = all.runs / (elapsedMs() / 1_000);
    const told = `${all.runs} of ${counted(share.runs, 'run')}, ${perSecond.toFixed(0)} a second`;
    console.error(`${told}, ${all.broken.length} broken`);
  }, PROGRESS_EVERY_MS);
  try {
    await runShare(share, workers, (facts) => {
      all.add(facts);
      byMix.get(facts.mix)?.add(facts);
      if (facts.broken !== undefined) console.error(`BROKEN: ${facts.broken}\n  ${replayCommand(facts)}`);
    });
  } finally {
    clearInterval(progress);
  }
  const report: Report = { share, workers, tookMs: elapsedMs(), all, byMix };
  console.log(json ? JSON.stringify(jsonOf(report)) : reportOf(report));
  return all.broken.length === 0 ? 0 : EXIT_BROKEN;
}

function chosenSeed(): number {
  return 1 + Math.floor(Math.random() * (SEED_LIMIT - 1));
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new InvalidArgumentError('A whole number from 1 is accepted.');
}

/** A mix by its name, or by a part that no other name has. */
function mixOf(text: string): string {
  const exact = MIXES.filter(({ name }) => name === text);
  const found = exact.length > 0 ? exact : MIXES.filter(({ name }) => name.includes(text));
  const [first] = found;
  if (first !== undefined && found.length === 1) return first.name;
  const names = (found.length === 0 ? MIXES : found).map(({ name }) => `"${name}"`).join(', ');
  throw new InvalidArgumentError(`${found.length === 0 ? 'The mixes are' : 'That could be'} ${names}.`);
}
