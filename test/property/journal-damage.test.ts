// Damaged files cost what needs them, and nothing else: random damage against a model that keeps
// every version.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runDamage } from './journal-damage-run.js';
import type { DamageTotals } from './journal-damage-run.js';
import { life, type Write } from './journal-damage-steps.js';

/** Runs; VOLUME_MOVER_SEEDS asks for more, VOLUME_MOVER_SEED for those of an earlier run. */
const RUNS = Number(process.env['VOLUME_MOVER_SEEDS'] ?? 0) * 100 || 600;
const SEED = Number(process.env['VOLUME_MOVER_SEED'] ?? Math.floor(Math.random() * 0x7fff_ffff));
/** All runs, milliseconds: far above what they take on a slow machine. */
const TIMEOUT_MS = 900_000;

test(
  `a journal with damaged files opens, serves no wrong byte, tells what it refuses, and takes new writes (${RUNS} runs, seed ${SEED})`,
  { timeout: TIMEOUT_MS },
  async () => {
    const all: DamageTotals[] = [];
    const property = fc.asyncProperty(life, async (one) => {
      all.push(await runDamage(one));
    });
    await fc.assert(property, { numRuns: RUNS, seed: SEED });
    const sum = (of: (totals: DamageTotals) => number): number => all.reduce((total, totals) => total + of(totals), 0);
    // That it proves something: most runs are damaged, and both refuse and serve.
    expect(sum(({ harmed }) => harmed)).toBeGreaterThan(RUNS);
    expect(sum(({ refused }) => refused)).toBeGreaterThan(RUNS / 2);
    expect(sum(({ exact }) => exact)).toBeGreaterThan(RUNS * 5);
    expect(sum(({ forks }) => forks)).toBeGreaterThan(RUNS / 50);
  },
);

const QUIET = { keep: [], everyFrom: 0, isRemembered: false };

/** Writes to the beginning of the volume. */
const writes = (...lengths: number[]): Write[] => lengths.map((length) => ({ offset: 0, length, isZero: false }));

test('a record that was applied and is lost, with its UNDO, is in no older position that opens', async () => {
  const totals = await runDamage({
    sync: false,
    chapters: [
      { ...QUIET, writes: [], more: writes(1), closes: true, harms: [{ how: 'flip', file: 393, share: 0, bit: 0 }] },
      {
        ...QUIET,
        writes: writes(4096, 4096, 3941, 3708, 4096, 4096, 2365, 1124, 4096),
        more: [],
        closes: true,
        harms: [],
      },
      {
        ...QUIET,
        writes: writes(4096, 4096),
        more: [
          { offset: 16_384, length: 3_553, isZero: false },
          { offset: 15_498, length: 4_147, isZero: false },
        ],
        closes: false,
        harms: [
          { how: 'flip', file: 66, share: 0.466422, bit: 0 },
          { how: 'truncate', file: 389, share: 0, bit: 0 },
        ],
      },
    ],
    last: [],
  });
  expect(totals.refused).toBeGreaterThan(0);
});

test.each([
  [2, 0.7, 0.3],
  [2, 0.9, 0.9],
  [3, 0.5, 0.5],
  [3, 0.7, 0.9],
  [4, 0.9, 0.5],
])(
  'DO and UNDO that both lost their ends (%i records, from %d and %d on) serve no wrong byte',
  async (n, doEnd, undoEnd) => {
    const more = Array.from({ length: n }, (_, i) => ({ offset: 1_000 * i, length: 3_000, isZero: false }));
    const harms = [
      { how: 'truncate', file: 1, share: doEnd, bit: 0 },
      { how: 'truncate', file: 6, share: undoEnd, bit: 0 },
    ] as const;
    const life = { sync: false, chapters: [{ ...QUIET, writes: [], more, closes: false, harms }], last: [] };
    expect(await runDamage(life)).toMatchObject({ harmed: 2, forks: 1 });
  },
);
