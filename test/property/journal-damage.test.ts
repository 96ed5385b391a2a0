// Damaged files cost what needs them, and nothing else: random damage against a model that keeps
// every version.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runDamage } from './journal-damage-run.js';
import type { DamageTotals } from './journal-damage-run.js';
import { life, type Write } from './journal-damage-steps.js';

/**
 * Runs: a hundred for each of VOLUME_MOVER_SEEDS, which .ci/run sets. VOLUME_MOVER_SEED repeats an
 * earlier run.
 */
const RUNS = Number(process.env['VOLUME_MOVER_SEEDS'] ?? 0) * 100 || 200;
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

test('damage in the last group of UNDO that no kept position needs does not keep the journal from opening', async () => {
  const zeroes = { offset: 1, length: 4096, isZero: true };
  const totals = await runDamage({
    sync: true,
    chapters: [
      {
        writes: [zeroes, zeroes],
        keep: [],
        everyFrom: 0.5,
        more: [],
        closes: false,
        harms: [{ how: 'flip', file: 769, share: 0.173914, bit: 0 }],
        isRemembered: false,
      },
    ],
    last: [],
  });
  expect(totals.harmed).toBe(1);
});

test('UNDO that lost its end before a segment with a damaged header is no way to an older position', async () => {
  const write = (offset: number, length: number): Write => ({ offset, length, isZero: false });
  const totals = await runDamage({
    sync: true,
    chapters: [
      {
        writes: [
          write(1_260, 4_096),
          { offset: 12_288, length: 2_749, isZero: true },
          write(4_096, 3_734),
          write(17_250, 5_299),
          write(0, 3_411),
          write(9_632, 4_751),
          write(16_384, 87),
          write(0, 4_096),
          write(25_930, 2_358),
          write(6_133, 4_096),
          write(5_127, 4_096),
        ],
        keep: [0.87675, 0.424148],
        everyFrom: 0.000012,
        more: [write(0, 5_960), write(4_096, 4_096), write(8_192, 4_096), write(8_192, 4_096)],
        closes: true,
        harms: [
          { how: 'flip', file: 109, share: 0.007471, bit: 0 },
          { how: 'truncate', file: 348, share: 0.187282, bit: 7 },
        ],
        isRemembered: false,
      },
    ],
    last: [],
  });
  expect(totals.refused).toBeGreaterThan(0);
});
