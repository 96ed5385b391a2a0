// Power loss under seeded simulation: the real shells of both sites over disks that lose unsynced
// data. A failing seed is a bug report.
import { describe, expect, it } from 'vitest';
import { type PowerOptions, PowerWorld, PromiseBroken } from './power-world.js';

/** Runs for each of VOLUME_MOVER_SEEDS: these runs are shorter than those of `moves.test.ts`. */
const RUNS_A_SEED = 50;
/** VOLUME_MOVER_SEEDS asks for more (.ci/run does), VOLUME_MOVER_SEED sets the first. */
const RUNS = Number(process.env['VOLUME_MOVER_SEEDS'] ?? 0) * RUNS_A_SEED || 240;
const FIRST_SEED = Number(process.env['VOLUME_MOVER_SEED'] ?? Math.floor(Math.random() * 1_000_000));
const STEPS = 60;
/** Most runs until a planted fault is found: several times what it takes. */
const FOUND_WITHIN_RUNS = 600;
/** Time limit far above what the runs take on a busy machine. */
const TIMEOUT_MS = 900_000;

async function brokenBy(seed: number, options: PowerOptions = {}): Promise<string | undefined> {
  try {
    await new PowerWorld(seed, options).run(STEPS);
    return undefined;
  } catch (error) {
    if (error instanceof PromiseBroken) return `seed ${seed}: ${error.message}`;
    throw new Error(`seed ${seed}`, { cause: error });
  }
}

/** What the first seed that finds a planted fault says of it. */
async function firstFound(options: PowerOptions): Promise<string | undefined> {
  for (let seed = 1; seed <= FOUND_WITHIN_RUNS; seed += 1) {
    const broken = await brokenBy(seed, options);
    if (broken !== undefined) return broken;
  }
  return undefined;
}

describe('with VOLUME_MOVER_SYNC, after any power cut', () => {
  it(
    `acknowledged writes are there, what differs is marked, what was confirmed is durable (${RUNS} runs from seed ${FIRST_SEED})`,
    { timeout: TIMEOUT_MS },
    async () => {
      for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed += 1)
        await expect(brokenBy(seed)).resolves.toBeUndefined();
    },
  );
});

describe('the same test finds what is left out:', { timeout: TIMEOUT_MS }, () => {
  it.each<[string, PowerOptions]>([
    [
      'what a failed sync lost at the replica site is synced once more, and so called durable',
      { withoutRewriting: 'site' },
    ],
    ['what a failed sync lost at the splitter is sent, and its mark cleared', { withoutRewriting: 'splitter' }],
    ['a write does not wait for the mark that another write of its region has set', { withoutWaitingForMarks: true }],
    ['a mark is cleared before the source is on stable storage', { withoutSyncBeforeClearing: true }],
  ])('%s', async (_, options) => {
    await expect(firstFound(options)).resolves.toMatch(/^seed /);
  });
});
