// The one place that knows how the simulation is run: `npm run simulate`, compiled in the copy.
import { z } from 'zod';
import { runTool } from './run-tool.js';

const COMPILER = 'node_modules/typescript/bin/tsc';
/** Types are not checked: a bug may leave something unused. */
const COMPILER_OPTIONS = ['-p', 'tsconfig.build.json', '--noCheck', '--declaration', 'false'];
const COMPILE_MS_MAX = 5 * 60_000;
const SIMULATE = 'dist/test/simulation/simulate.js';
/** Longest time for one run, milliseconds, on a busy machine; and for the start. */
const RUN_MS_MAX = 1_000;
const START_MS_MAX = 2 * 60_000;
/** First part of a message that is kept, characters. */
const MESSAGE_LENGTH_MAX = 300;
/** So many runs without one move that was made are no accident. */
const RUNS_WITH_A_MOVE = 60;

const reportSchema = z.looseObject({
  runs: z.number(),
  moves: z.record(z.string(), z.number()),
  mixes: z.record(z.string(), z.unknown()),
  broken: z.array(z.looseObject({ mix: z.string(), seed: z.number(), message: z.string() })),
});

export interface Simulation {
  /** Runs until the first one that broke a promise, or all. */
  readonly runs: number;
  readonly nextSeed: number;
  readonly killed?: { readonly mix: string; readonly seed: number; readonly message: string };
}

/** Compiles the copy as it is. @returns what the compiler said, if the sources can't be compiled */
export async function compile(folder: string): Promise<string | undefined> {
  const { code, output } = await runTool(folder, [COMPILER, ...COMPILER_OPTIONS], COMPILE_MS_MAX);
  return code === 0 ? undefined : output.slice(0, MESSAGE_LENGTH_MAX);
}

/** Runs the simulation that was compiled last: all mixes of each seed, then the next seed. */
export async function simulate(
  folder: string,
  { seed, runs }: { readonly seed: number; readonly runs: number },
): Promise<Simulation> {
  const script = [SIMULATE, '--seed', String(seed), '--runs', String(runs), '--json'];
  const { output, isStopped } = await runTool(folder, script, START_MS_MAX + runs * RUN_MS_MAX);
  if (isStopped || output === '') {
    const message = isStopped ? 'it never ends' : 'it ends without a report';
    return { runs, nextSeed: seed, killed: { mix: 'all mixes', seed, message } };
  }
  const report = reportSchema.parse(JSON.parse(output));
  const mixes = Object.keys(report.mixes);
  const nextSeed = seed + Math.ceil(runs / mixes.length);
  const numberOf = (run: { readonly mix: string; readonly seed: number }): number =>
    (run.seed - seed) * mixes.length + mixes.indexOf(run.mix) + 1;
  const [first] = report.broken.toSorted((a, b) => numberOf(a) - numberOf(b));
  if (first !== undefined) {
    const message = first.message.slice(0, MESSAGE_LENGTH_MAX);
    return { runs: numberOf(first), nextSeed, killed: { mix: first.mix, seed: first.seed, message } };
  }
  if (report.runs >= RUNS_WITH_A_MOVE && report.moves['moved'] === undefined)
    return { runs, nextSeed, killed: { mix: 'all mixes', seed, message: 'not one move was made' } };
  return { runs: report.runs, nextSeed };
}
