// The one place that knows how the simulation is run.
import type { TestRunner } from './test-runner.js';

const FILE = 'test/simulation/moves.test.ts';
/** Tests that run a mix over many seeds. */
const MIX = /keeps every promise: (?<mix>.+) \(seeds \d+ to \d+\)$/;
/** Mixes that the file runs. */
const MIXES = 14;
const NAMES = 'keeps every promise|moves and moves back|lets a fence lapse';
/** A failure names its seed. */
const SEED = /seed (?<seed>\d+)/;
/** Longest time for one run, milliseconds, on a busy machine; and for the start. */
const RUN_MS_MAX = 2_000;
const START_MS_MAX = 2 * 60_000;

export interface Simulation {
  /** Runs that were made. */
  readonly runs: number;
  readonly nextSeed: number;
  readonly killed?: { readonly mix: string; readonly seed: number; readonly message: string };
  readonly broken?: string;
}

/** Runs the simulation until a run breaks a promise. */
export async function simulate(
  runner: TestRunner,
  { seed, runs, changed }: { readonly seed: number; readonly runs: number; readonly changed: readonly string[] },
): Promise<Simulation> {
  const seeds = Math.ceil(runs / MIXES);
  const nextSeed = seed + seeds;
  const env = { VOLUME_MOVER_SEED: String(seed), VOLUME_MOVER_SEEDS: String(seeds) };
  const limitMs = START_MS_MAX + seeds * MIXES * RUN_MS_MAX;
  const { passed, failed, broken } = await runner.run({ files: [FILE], names: NAMES, env, changed }, limitMs);
  if (broken !== undefined) return { runs: 0, nextSeed, broken };
  const whole = passed.filter((name) => MIX.test(name)).length * seeds;
  if (failed === undefined) return { runs: whole, nextSeed };
  const mix = MIX.exec(failed.name)?.groups?.['mix'] ?? failed.name;
  const found = SEED.exec(failed.message)?.groups?.['seed'];
  const killer = found === undefined ? nextSeed - 1 : Number(found);
  return {
    runs: whole + killer - seed + 1,
    nextSeed,
    killed: { mix, seed: killer, message: failed.message },
  };
}
