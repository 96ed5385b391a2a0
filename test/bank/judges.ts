// Who may find a bug: first the tests that know its part, then the simulation.
import type { BankedBug } from './bank.js';
import type { Scratch } from './scratch.js';
import { compile, simulate } from './simulation.js';
import type { TestRunner } from './test-runner.js';

/** Longest run of the tests that know one part. A healthy run takes seconds. */
const TESTS_MS_MAX = 5 * 60_000;
/**
 * Seeds of those tests that take one: fixed, so that a bug that was found once is found again; and
 * few, since a bug is met often.
 */
const TESTS_ENV = { VOLUME_MOVER_SEED: '1', VOLUME_MOVER_SEEDS: '3' };
/** The simulation's own test of moves without a fault, and of a mover that is gone. */
const CALM = { files: ['test/simulation/moves.test'], names: 'moves and moves back|lets a fence lapse' };
/** Runs in the first part of a simulation. Each further part is so many times longer. */
const FIRST_RUNS = 60;
const PART_GROWTH = 4;
/** The simulation always begins with this seed: a bug that it found once it finds again. */
const FIRST_SEED = 1;

export type Killer =
  | { readonly by: 'test'; readonly name: string; readonly message: string }
  | { readonly by: 'simulation'; readonly mix: string; readonly seed: number; readonly message: string };

export interface Judgement {
  readonly killer?: Killer | undefined;
  /** The sources with the bug can't be loaded: it is no bug that anybody would ship. */
  readonly broken?: string | undefined;
  /** Runs of the simulation. */
  readonly runs: number;
}

export interface JudgeOptions {
  readonly withTests: boolean;
  /** Most runs of the simulation; 0: none. */
  readonly runsMax: number;
}

/**
 * Has the copy judged as it is now.
 * @param changed sources that were changed since the last judgement
 */
export async function judge(
  { folder }: Scratch,
  runner: TestRunner,
  { tests, simulated }: Pick<BankedBug, 'tests' | 'simulated'>,
  changed: readonly string[],
  { withTests, runsMax }: JudgeOptions,
): Promise<Judgement> {
  const isSimulated = simulated && runsMax > 0;
  for (const request of [...(withTests ? [{ files: tests }] : []), ...(isSimulated ? [CALM] : [])]) {
    const { broken, failed } = await runner.run({ ...request, env: TESTS_ENV, changed }, TESTS_MS_MAX);
    if (broken !== undefined) return { broken, runs: 0 };
    if (failed !== undefined) return { killer: { by: 'test', ...failed }, runs: 0 };
  }
  if (!isSimulated) return { runs: 0 };
  const broken = await compile(folder);
  if (broken !== undefined) return { broken, runs: 0 };
  let runs = 0;
  let seed = FIRST_SEED;
  for (let part = FIRST_RUNS; runs < runsMax; part *= PART_GROWTH) {
    const simulation = await simulate(folder, { seed, runs: Math.min(part, runsMax - runs) });
    runs += simulation.runs;
    seed = simulation.nextSeed;
    if (simulation.killed !== undefined) return { killer: { by: 'simulation', ...simulation.killed }, runs };
  }
  return { runs };
}
