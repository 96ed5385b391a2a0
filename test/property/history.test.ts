// History survives moves: random writes, points, bookmarks, moves among groups, growth, retention
// and kills against a model that keeps everything.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runHistory, type HistoryTotals } from './history-run.js';
import { history } from './history-steps.js';

/**
 * Runs: a hundred for each of VOLUME_MOVER_SEEDS, which .ci/run sets. VOLUME_MOVER_SEED repeats an
 * earlier run.
 */
const RUNS = Number(process.env['VOLUME_MOVER_SEEDS'] ?? 0) * 100 || 400;
const SEED = Number(process.env['VOLUME_MOVER_SEED'] ?? Math.floor(Math.random() * 0x7fff_ffff));
/** All runs, milliseconds: far above what they take on a slow machine. */
const TIMEOUT_MS = 900_000;

test(
  `every retained recovery point is the model byte for byte, by group and by volume (${RUNS} runs, seed ${SEED})`,
  { timeout: TIMEOUT_MS },
  async () => {
    const all: HistoryTotals[] = [];
    const property = fc.asyncProperty(history, async (steps) => {
      all.push(await runHistory(steps));
    });
    await fc.assert(property, { numRuns: RUNS, seed: SEED });
    const sum = (of: (totals: HistoryTotals) => number): number => all.reduce((total, totals) => total + of(totals), 0);
    // That it proves something: each run compares points and images, every fourth commits a move,
    // and every other one has a second life of the site.
    expect(sum(({ points }) => points)).toBeGreaterThan(RUNS * 2);
    expect(sum(({ images }) => images)).toBeGreaterThan(RUNS * 5);
    expect(sum(({ moved }) => moved)).toBeGreaterThan(RUNS / 4);
    expect(sum(({ lives }) => lives)).toBeGreaterThan(RUNS * 1.5);
    // A volume grows in every other run, and every third looks at a time when it was smaller.
    expect(sum(({ grown }) => grown)).toBeGreaterThan(RUNS / 2);
    expect(sum(({ smaller }) => smaller)).toBeGreaterThan(RUNS / 3);
  },
);
