// `npm run bank`: plants one bug at a time in a copy of the sources and looks who finds it.
import { parseArgs } from 'node:util';
import { choose, wholeOf } from './choose.js';
import { judge, type JudgeOptions } from './judges.js';
import { endOf, type Found, isSound, lineOf, summaryOf, verdictOf } from './report.js';
import { Scratch } from './scratch.js';
import { TestRunner } from './test-runner.js';

/** Most runs of the simulation for one bug. */
const RUNS_MAX_DEFAULT = 2_000;
/** Runs of the simulation that the sources without a bug must pass. */
const SOUND_RUNS = 60;
const SEED_MAX = 1_000_000;

const HELP = `Usage: npm run bank -- [options]

  --id ID         only the bugs whose id begins so; may be repeated ("splitter/", "saga/committed")
  --share S       a share of them, up to 1, chosen by the seed
  --seed N        decides the share; default: by chance
  --runs N        most runs of the simulation for each bug; default ${RUNS_MAX_DEFAULT}, 0 for none
  --no-tests      only the simulation judges
  --list          prints the chosen bugs and runs nothing
  --json          prints one JSON object at the end

Exit code 1: a bug survived that is marked neither as equivalent nor as open, one marked as equivalent
was found, the sources with a bug could not be loaded, or an option is wrong.
`;

const { values } = parseArgs({
  allowNegative: true,
  options: {
    id: { type: 'string', multiple: true, default: [] },
    share: { type: 'string', default: '1' },
    seed: { type: 'string' },
    runs: { type: 'string', default: String(RUNS_MAX_DEFAULT) },
    tests: { type: 'boolean', default: true },
    list: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** The table goes where it does not disturb the JSON. */
const say = (text: string): void => void (values.json ? process.stderr : process.stdout).write(text);

if (values.help) process.stdout.write(HELP);
else await main().catch(fail);

/** A wrong option, or sources that are not sound without any bug. */
function fail(error: unknown): void {
  process.stderr.write(`bank: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

async function main(): Promise<void> {
  const seed = values.seed === undefined ? Math.floor(Math.random() * SEED_MAX) : wholeOf('--seed', values.seed);
  const bugs = choose({ ids: values.id, share: Number(values.share), seed });
  if (values.list) {
    for (const { id, breaks } of bugs) say(`${id}: ${breaks}\n`);
    return;
  }
  const options: JudgeOptions = { withTests: values.tests, runsMax: wholeOf('--runs', values.runs) };
  say(`${bugs.length} bugs, seed ${seed}. First the sources without any.\n`);
  const scratch = await Scratch.copyOf(process.cwd());
  const runner = new TestRunner(scratch.folder);
  process.once('exit', () => {
    runner.stop();
    scratch.remove();
  });
  process.once('SIGINT', () => process.exit(1));
  const tests = [...new Set(bugs.flatMap((bug) => bug.tests))];
  const sound = { tests, simulated: bugs.some(({ simulated }) => simulated) };
  const { killer, broken } = await judge(scratch, runner, sound, [], {
    ...options,
    runsMax: Math.min(SOUND_RUNS, options.runsMax),
  });
  if (killer !== undefined || broken !== undefined)
    throw new Error(`The sources without a bug are not sound: ${broken ?? JSON.stringify(killer)}`);
  const all: Found[] = [];
  let before: string | undefined;
  for (const bug of bugs) {
    const startedAtMs = performance.now();
    const changed = before === undefined ? [bug.file] : [before, bug.file];
    before = bug.file;
    const judgement = await scratch.with(bug, async () => judge(scratch, runner, bug, changed, options));
    const found = { bug, ...judgement, seconds: (performance.now() - startedAtMs) / 1_000 };
    all.push(found);
    say(lineOf(found));
  }
  say(endOf(all));
  if (values.json) process.stdout.write(`${JSON.stringify(jsonOf(seed, all))}\n`);
  process.exit(all.every(isSound) ? 0 : 1);
}

function jsonOf(seed: number, all: readonly Found[]): object {
  const bugs = all.map((found) => {
    const { bug, killer, runs, seconds } = found;
    return { id: bug.id, verdict: verdictOf(found), killer, runs, seconds: Math.round(seconds * 10) / 10 };
  });
  return { seed, ...summaryOf(all), bugs };
}
